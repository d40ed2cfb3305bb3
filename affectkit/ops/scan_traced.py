"""The selective scan as a few dozen operations, none in place: what tracers can take down. Symbols as in its twin.

Steps compose: after `x -> a x + b` comes `x -> a' x + b'`, which together are `x -> a a' x + a' b + b'`. So steps that
are 1, 2, 4, ... apart are joined, and after log2(L) rounds each holds all before it. A product of decays can only
underflow to the 0 that it is. Where A is positive, one can overflow
though the state it belongs to is small. All states are there at once: memory is O(B D L N), and work log2(L) times the
usual.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops.scan_inputs import ScanInputs


def scan_traced(inputs: ScanInputs) -> tuple[Tensor, Tensor]:
    """Output `(B, D, L)` and last state `(B, D, N)`; autograd differentiates it as often as one likes."""
    sizes = inputs.sizes
    delta = inputs.delta if inputs.delta_bias is None else inputs.delta + inputs.delta_bias[:, None]
    delta = functional.softplus(delta) if inputs.softplus else delta
    b, c = (one.repeat_interleave(sizes.per_group, dim=1) for one in (inputs.B, inputs.C))
    # (B, D, N, L)
    decay = torch.exp(delta[:, :, None] * inputs.A[..., None])
    x = (delta * inputs.u)[:, :, None] * b
    distance = 1
    while distance < sizes.length:
        # the first ones have no step so far before them: 0 times a decay that is infinite would be NaN
        later = decay[..., distance:]
        x = torch.cat([x[..., :distance], x[..., distance:] + x[..., :-distance] * later], dim=-1)
        decay = torch.cat([decay[..., :distance], decay[..., :-distance] * later], dim=-1)
        distance *= 2
    y = (x * c).sum(dim=2)
    if inputs.D is not None:
        y = y + inputs.D[:, None] * inputs.u
    if inputs.z is not None:
        y = y * functional.silu(inputs.z)
    return y, x[..., -1] if sizes.length else x.new_zeros(x.shape[:-1])
