"""The selective scan of S6, slow and obvious; what every fast path is tested against.

Symbols as in arXiv 2312.00752, algorithm 2, with the state's index n and the channel's d:

    delta = softplus(delta + delta_bias)                                    with `delta_softplus`
    x_t[d, n] = exp(delta_t[d] A[d, n]) x_{t-1}[d, n] + delta_t[d] B_t[n] u_t[d]
    y_t[d] = sum_n C_t[n] x_t[d, n] + D[d] u_t[d]
    out_t = y_t silu(z_t)                                                   with `z`
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops.scan_checks import check_arguments


def selective_scan_ref(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """One step of time after the other, in the precision of `u` and at least float32.

    Arguments:
        u: input `(B, D, L)`.
        delta: step sizes `(B, D, L)`, before bias and softplus.
        A: `(D, N)`; negative for a state that fades.
        B: `(B, N, L)`, or `(B, G, N, L)`: of G groups of D / G channels each.
        C: as `B`.
        D: `(D,)`, what passes by the state.
        z: gate `(B, D, L)`.
        delta_bias: `(D,)`.
        delta_softplus: whether step sizes go through a softplus.
        return_last_state: whether the state behind the last step is returned too.

    Returns:
        `(B, D, L)` in the type of `u`; with `return_last_state` also `(B, D, N)` in at least float32.

    Raises:
        InputError: wrong types, devices, ranks or sizes, as of `selective_scan`.
    """
    check_arguments({"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias})
    exact = torch.promote_types(u.dtype, torch.float32)
    u_t, steps, a, b, c = (one.to(exact) for one in (u, delta, A, B, C))
    if delta_bias is not None:
        steps = steps + delta_bias.to(exact)[:, None]
    if delta_softplus:
        steps = functional.softplus(steps)
    # every channel its own row of B and C
    b, c = (_per_channel(one, u.shape[1]) for one in (b, c))
    x = u_t.new_zeros(u.shape[0], u.shape[1], A.shape[1])
    ys = []
    for t in range(u.shape[2]):
        x = torch.exp(steps[:, :, t, None] * a) * x + (steps[:, :, t] * u_t[:, :, t])[..., None] * b[..., t]
        ys.append((x * c[..., t]).sum(dim=-1))
    y = torch.stack(ys, dim=-1) if ys else torch.zeros_like(u_t)
    if D is not None:
        y = y + D.to(exact)[:, None] * u_t
    if z is not None:
        y = y * functional.silu(z.to(exact))
    return (y.to(u.dtype), x) if return_last_state else y.to(u.dtype)


def _per_channel(one: Tensor, channels: int) -> Tensor:
    groups = one[:, None] if one.dim() == 3 else one
    return groups.repeat_interleave(channels // groups.shape[1], dim=1)
