"""The selective scan in torch operations: any device, float32 and float64, no compiler. Symbols as in the slow twin.

Time comes first, so that a step is one contiguous piece, and the states of a group lie as `(N, H)`, its channels last.
Steps are worked on in chunks whose states fit the cache: all but the recurrence itself is one operation per chunk, and
the recurrence is one fused operation per step, in place.

The forward pass keeps the state at each chunk's beginning. The backward pass goes through the chunks from the last to
the first, makes the states of one anew, and from them the gradients g of the states:

    g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned, ScanSizes

# Numbers in a tensor of a chunk's states: 1 MB of float32.
_CHUNK_NUMBERS = 1 << 18
_SHORTEST, _LONGEST = 4, 64


class _Steps(NamedTuple):
    """Inputs with time first; P is B G, pairs of an item of the batch and a group.

    Attributes:
        u: `(L, P, H)`.
        delta: step sizes, `(L, P, H)`.
        A: `(P, N, H)`, or `(1, N, H)` where there is one group.
        B: `(L, P, N)`.
        C: as `B`.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor


def forward(inputs: ScanInputs, keep: bool) -> tuple[Scanned, bool | None]:
    """The scan, and with `keep` what `backward` needs; nobody has looked at what came out."""
    sizes, steps = inputs.sizes, _steps(inputs)
    state = steps.u.new_zeros(sizes.batch * sizes.groups, sizes.states, sizes.per_group)
    y = torch.empty_like(steps.u)
    a, x = (_work(sizes, state) for _ in range(2))
    checkpoints = []
    for begin, end in _chunks(sizes):
        checkpoints.append(state)
        _fill_states(steps, begin, end, state, a, x)
        torch.matmul(steps.C[begin:end, :, None], x[: end - begin], out=y[begin:end, :, None])
        state = x[end - begin - 1].clone()
    out = _channels_first(y, sizes)
    if inputs.D is not None:
        out = out + inputs.D[:, None] * inputs.u
    if inputs.z is not None:
        out = out * functional.silu(inputs.z)
    last = state.reshape(sizes.batch, sizes.groups, sizes.states, sizes.per_group).transpose(2, 3)
    last = last.reshape(sizes.batch, inputs.u.shape[1], sizes.states).contiguous()
    kept = torch.stack(checkpoints) if keep and checkpoints else state.new_empty(0)
    return Scanned(out.contiguous(), last, kept), None


def backward(inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None) -> ScanGradients:
    """Gradients from those of the output `(B, D, L)` and of the last state `(B, D, N)`."""
    sizes, steps = inputs.sizes, _steps(inputs)
    d_y = d_out if inputs.z is None else d_out * functional.silu(inputs.z)
    dy = _time_first(d_y, sizes)
    # of delta B u, of the state before it, and of delta A, each summed over states
    d_b, d_c = torch.empty_like(steps.B), torch.empty_like(steps.C)
    through_b, through_a, y = (torch.empty_like(steps.u) for _ in range(3))
    carry = _last_gradient(d_last, sizes, steps)
    d_a = torch.zeros_like(carry)
    a, x, g, product = (_work(sizes, carry) for _ in range(4))
    entering = steps.delta * steps.u
    for (begin, end), state in zip(reversed(list(_chunks(sizes))), reversed(checkpoints.unbind()), strict=True):
        chunk, count = slice(begin, end), end - begin
        _fill_states(steps, begin, end, state, a, x)
        if inputs.z is not None:
            torch.matmul(steps.C[chunk, :, None], x[:count], out=y[chunk, :, None])
        gs = torch.mul(steps.C[chunk, ..., None], dy[chunk, :, None], out=g[:count])
        gs[-1] += carry
        rows, decays = gs.unbind(), a.unbind()
        for t in range(count - 2, -1, -1):
            rows[t].addcmul_(decays[t + 1], rows[t + 1])
        torch.matmul(x[:count], dy[chunk, ..., None], out=d_c[chunk, ..., None])
        torch.matmul(gs, entering[chunk, ..., None], out=d_b[chunk, ..., None])
        torch.matmul(steps.B[chunk, :, None], gs, out=through_b[chunk, :, None])
        # from here on, the gradient of delta A: g_t exp(delta_t A) x_{t-1}
        gs *= a[:count]
        carry = gs[0].clone()
        gs[1:] *= x[: count - 1]
        gs[0] *= state
        d_a += torch.mul(gs, steps.delta[chunk, :, None], out=product[:count]).sum(dim=0)
        gs *= steps.A
        torch.sum(gs, dim=2, out=through_a[chunk])
    d_u = _channels_first(through_b * steps.delta, sizes)
    d_delta = _channels_first(through_a + through_b * steps.u, sizes)
    if inputs.softplus:
        d_delta = d_delta * torch.sigmoid(_with_bias(inputs))
    d_skip = d_z = None
    if inputs.D is not None:
        d_u = d_u + d_y * inputs.D[:, None]
        d_skip = (d_y * inputs.u).sum(dim=(0, 2))
    if inputs.z is not None:
        total = _channels_first(y, sizes)
        total = total if inputs.D is None else total + inputs.D[:, None] * inputs.u
        share = torch.sigmoid(inputs.z)
        d_z = d_out * total * share * (1 + inputs.z * (1 - share))
    by_group = d_a.reshape(sizes.batch, sizes.groups, sizes.states, sizes.per_group).sum(dim=0)
    return ScanGradients(
        d_u.contiguous(),
        d_delta.contiguous(),
        by_group.transpose(1, 2).reshape(inputs.A.shape).contiguous(),
        d_b.permute(1, 2, 0).reshape(inputs.B.shape).contiguous(),
        d_c.permute(1, 2, 0).reshape(inputs.C.shape).contiguous(),
        d_skip,
        d_z,
        None if inputs.delta_bias is None else d_delta.sum(dim=(0, 2)),
    )


def checkpoint_shape(sizes: ScanSizes) -> tuple[int, ...]:
    """Of `Scanned.checkpoints`."""
    chunks = -(-sizes.length // _chunk_length(sizes))
    return (chunks, sizes.batch * sizes.groups, sizes.states, sizes.per_group) if chunks else (0,)


def _chunk_length(sizes: ScanSizes) -> int:
    numbers = max(1, sizes.batch * sizes.groups * sizes.states * sizes.per_group)
    return max(_SHORTEST, min(_LONGEST, _CHUNK_NUMBERS // numbers))


def _chunks(sizes: ScanSizes) -> Iterator[tuple[int, int]]:
    length = _chunk_length(sizes)
    for begin in range(0, sizes.length, length):
        yield begin, min(sizes.length, begin + length)


def _work(sizes: ScanSizes, state: Tensor) -> Tensor:
    return state.new_empty(min(_chunk_length(sizes), sizes.length), *state.shape)


def _fill_states(steps: _Steps, begin: int, end: int, state: Tensor, a: Tensor, x: Tensor) -> None:
    """Write exp(delta A) and the states of steps `begin` to `end`, which follow on `state`, into `a` and `x`."""
    delta, count = steps.delta[begin:end, :, None], end - begin
    torch.mul(delta, steps.A, out=a[:count]).exp_()
    torch.mul(delta * steps.u[begin:end, :, None], steps.B[begin:end, ..., None], out=x[:count])
    for decay, row in zip(a[:count].unbind(), x[:count].unbind(), strict=True):
        state = row.addcmul_(decay, state)


def _steps(inputs: ScanInputs) -> _Steps:
    sizes = inputs.sizes
    delta = _with_bias(inputs)
    delta = functional.softplus(delta) if inputs.softplus else delta
    a = inputs.A.reshape(sizes.groups, sizes.per_group, sizes.states).transpose(1, 2)
    a = a.repeat(sizes.batch, 1, 1) if sizes.groups > 1 else a.contiguous()
    pairs = sizes.batch * sizes.groups
    b, c = (
        one.reshape(pairs, sizes.states, sizes.length).permute(2, 0, 1).contiguous() for one in (inputs.B, inputs.C)
    )
    return _Steps(_time_first(inputs.u, sizes), _time_first(delta, sizes), a, b, c)


def _with_bias(inputs: ScanInputs) -> Tensor:
    return inputs.delta if inputs.delta_bias is None else inputs.delta + inputs.delta_bias[:, None]


def _last_gradient(d_last: Tensor | None, sizes: ScanSizes, steps: _Steps) -> Tensor:
    shape = (sizes.batch * sizes.groups, sizes.states, sizes.per_group)
    if d_last is None:
        return steps.u.new_zeros(shape)
    return d_last.reshape(shape[0], sizes.per_group, sizes.states).transpose(1, 2).contiguous()


def _time_first(values: Tensor, sizes: ScanSizes) -> Tensor:
    pairs = sizes.batch * sizes.groups
    return values.reshape(pairs, sizes.per_group, sizes.length).permute(2, 0, 1).contiguous()


def _channels_first(values: Tensor, sizes: ScanSizes) -> Tensor:
    return values.permute(1, 2, 0).reshape(sizes.batch, sizes.groups * sizes.per_group, sizes.length)
