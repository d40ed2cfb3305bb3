"""State space duality: state spaces whose decay is one number per head, causal and not, each with its slow twin.

    h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T        y_t = h_t C_t + D x_t                               causal
    S = sum_t -A dt_t x_t B_t^T                       y_t = S C_t + D x_t                                 non-causal

The causal form is that of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060, section 6), the other that of VSSD (Shi et al.
2024, arXiv 2407.18559): every token sees the same state S, to which each gives by its own weight. In both, a token with
dt = 0 is as if it were absent, but for what comes out at its own place.

Letters: B batch, L tokens, H heads, P width of a head, G groups of heads that share B_t and C_t, N state.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.scan_checks import check_finite, check_outcome

_AXES = {"x": "BLHP", "dt": "BLH", "A": "H", "B": "BLGN", "C": "BLGN", "D": "H", "initial_state": "BHPN"}


def ssd(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    *,
    initial_state: Tensor | None = None,
    chunk: int = 64,
    strict: bool = False,
) -> tuple[Tensor, Tensor]:
    """The causal form, by matrix products within chunks of tokens and a state between them.

    Computed in the precision of `x` and at least float32; under autocast, matrix products in autocast's own.

    Arguments:
        x: tokens `(B, L, H, P)`.
        dt: step sizes `(B, L, H)`, not negative.
        A: `(H,)`, negative.
        B: what a token writes to the state, `(B, L, G, N)`; G divides H, and head h is of group `h // (H / G)`.
        C: what it reads from it, as `B`.
        D: `(H,)`, what passes by the state.
        initial_state: `(B, H, P, N)`; None for zeros.
        chunk: tokens per chunk, 1 or more; changes time and memory, not the result.
        strict: whether inputs are searched for values that are not finite before anything else. If not, they are only
            if the output isn't finite, for which the host waits; while a CUDA graph is recorded, not at all.

    Returns:
        `(B, L, H, P)` in the type of `x`, and the state behind the last token, `(B, H, P, N)`, in at least float32.

    Raises:
        InputError: shapes that do not go together, an axis that is empty and is neither B nor L, a type that is no
            float, two devices, a chunk that is no number of tokens; or an input is NaN or infinite, and so is the
            output.
    """
    tensors = {"x": x, "dt": dt, "A": A, "B": B, "C": C, "D": D, "initial_state": initial_state}
    _check(tensors, strict=strict)
    if isinstance(chunk, bool) or not hasattr(chunk, "__index__") or chunk < 1:
        raise InputError(f"chunk: {chunk!r} tokens; give a whole number, 1 or more")
    chunk = operator.index(chunk)
    exact = torch.promote_types(x.dtype, torch.float32)
    groups = B.shape[2]
    batch, length, heads, width = x.shape
    logs = (dt.to(exact) * A.to(exact)).reshape(batch, length, groups, heads // groups)
    given = (x.to(exact) * dt.to(exact).unsqueeze(-1)).reshape(*logs.shape, width)
    b, c = B.to(exact), C.to(exact)
    state = _state(x, B, initial_state, exact).reshape(batch, *logs.shape[2:], width, B.shape[3])
    if not length:
        # without a chunk it would be the caller's own
        return _passed_by(x.to(exact), x, D), state.flatten(1, 2).clone()
    ys = []
    # not slices, each of which would make a gradient as long as the whole
    parts = (torch.split(one, chunk, dim=1) for one in (given, logs, b, c))
    for given_l, logs_l, b_l, c_l in zip(*parts, strict=True):
        y, state = _chunk(given_l, logs_l, b_l, c_l, state)
        ys.append(y.flatten(2, 3))
    y = _passed_by(torch.cat(ys, dim=1), x, D)
    check_outcome(y, tensors)
    return y, state.flatten(1, 2)


def _chunk(given: Tensor, logs: Tensor, b: Tensor, c: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """One chunk of l tokens and the state after it; heads as `(G, H / G)`, named g and r below."""
    logs = logs.permute(0, 2, 3, 1)
    decay = _segment_sums(logs).exp()
    scores = torch.einsum("blgn,bmgn->bglm", c, b).unsqueeze(2) * decay
    within = torch.einsum("bgrlm,bmgrp->blgrp", scores, given)
    since_start = logs.cumsum(dim=-1).exp()
    before = torch.einsum("blgn,bgrpn->blgrp", c, state) * since_start.permute(0, 3, 1, 2).unsqueeze(-1)
    # the last row holds the decay from every token to the end
    left = given * decay[..., -1, :].permute(0, 3, 1, 2).unsqueeze(-1)
    after = torch.einsum("bmgrp,bmgn->bgrpn", left, b)
    return within + before, after + since_start[..., -1, None, None] * state


def _segment_sums(logs: Tensor) -> Tensor:
    """`(..., l)` to `(..., l, l)`: `[i, j]` is the sum over j+1 to i, and -inf above the diagonal.

    Summed anew for every j: a difference of two sums from the start would lose what large decays leave of small ones.
    """
    length = logs.shape[-1]
    ones = torch.ones(length, length, dtype=torch.bool, device=logs.device)
    spread = logs.unsqueeze(-1).expand(*logs.shape, length).masked_fill(~ones.tril(-1), 0)
    return spread.cumsum(dim=-2).masked_fill(~ones.tril(), -torch.inf)


def ssd_ref(
    x: Tensor,
    dt: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    *,
    initial_state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Slow twin of `ssd`: one token after the other."""
    _check({"x": x, "dt": dt, "A": A, "B": B, "C": C, "D": D, "initial_state": initial_state})
    exact = torch.promote_types(x.dtype, torch.float32)
    state = _state(x, B, initial_state, exact)
    y = x.to(exact)
    b, c = (_per_head(one.to(exact), x.shape[2]) for one in (B, C))
    ys = []
    for t in range(x.shape[1]):
        step = dt[:, t, :, None, None].to(exact)
        state = torch.exp(step * A[:, None, None].to(exact)) * state + step * y[:, t, :, :, None] * b[:, t, :, None, :]
        ys.append((state * c[:, t, :, None, :]).sum(dim=-1))
    return _passed_by(torch.stack(ys, dim=1) if ys else y, x, D), state if ys else state.clone()


def nc_ssd(
    x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None, *, strict: bool = False
) -> Tensor:
    """The non-causal form, as two matrix products; the order of tokens means nothing to it.

    Arguments, precision and errors as of `ssd`. Returns `(B, L, H, P)` in the type of `x`.
    """
    tensors = {"x": x, "dt": dt, "A": A, "B": B, "C": C, "D": D}
    _check(tensors, strict=strict)
    exact = torch.promote_types(x.dtype, torch.float32)
    weights = -A.to(exact) * dt.to(exact)
    groups, width = B.shape[2], x.shape[2] * x.shape[3]
    given = (x.to(exact) * weights.unsqueeze(-1)).reshape(*x.shape[:2], groups, width // groups)
    state = torch.einsum("blgn,blgq->bgnq", B.to(exact), given)
    y = torch.einsum("blgn,bgnq->blgq", C.to(exact), state)
    y = _passed_by(y.reshape(x.shape), x, D)
    check_outcome(y, tensors)
    return y


def nc_ssd_ref(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None) -> Tensor:
    """Slow twin of `nc_ssd`: one token after the other writes, then one after the other reads."""
    _check({"x": x, "dt": dt, "A": A, "B": B, "C": C, "D": D})
    exact = torch.promote_types(x.dtype, torch.float32)
    state = _state(x, B, None, exact)
    y = x.to(exact)
    b, c = (_per_head(one.to(exact), x.shape[2]) for one in (B, C))
    for t in range(x.shape[1]):
        weight = -A[:, None, None].to(exact) * dt[:, t, :, None, None].to(exact)
        state = state + weight * y[:, t, :, :, None] * b[:, t, :, None, :]
    ys = [(state * c[:, t, :, None, :]).sum(dim=-1) for t in range(x.shape[1])]
    return _passed_by(torch.stack(ys, dim=1) if ys else y, x, D)


def _passed_by(y: Tensor, x: Tensor, D: Tensor | None) -> Tensor:
    return (y if D is None else y + D.to(y.dtype).unsqueeze(-1) * x.to(y.dtype)).to(x.dtype)


def _per_head(one: Tensor, heads: int) -> Tensor:
    return one.repeat_interleave(heads // one.shape[2], dim=2)


def _state(x: Tensor, B: Tensor, initial_state: Tensor | None, exact: torch.dtype) -> Tensor:
    if initial_state is not None:
        return initial_state.to(exact)
    return x.new_zeros(x.shape[0], *x.shape[2:], B.shape[3], dtype=exact)


def _check(tensors: Mapping[str, Tensor | None], *, strict: bool = False) -> None:
    """Every axis has one length, whichever tensor it is an axis of, and all hold floats on one device."""
    lengths: dict[str, tuple[str, int]] = {}
    place: torch.device | None = None
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        axes = _AXES[name]
        place = tensor.device if place is None else place
        if tensor.device != place:
            raise InputError(f"{name}: is on {tensor.device}, but x is on {place}; move one of them")
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise InputError(f"{name}: {kind} is no float; give float32, float64, bfloat16 or float16")
        if tensor.ndim != len(axes):
            raise InputError(f"{name}: shape {tuple(tensor.shape)}; give ({', '.join(axes)})")
        for i, (axis, length) in enumerate(zip(axes, tensor.shape, strict=True)):
            first, expected = lengths.setdefault(axis, (name, length))
            if not length and axis in "HPN":
                raise InputError(f"{name}: axis {i}, {axis}, is 0 in {tuple(tensor.shape)}; give 1 or more")
            if length != expected:
                raise InputError(
                    f"{name}: axis {i}, {axis}, is {length}, but {axis} of {first} is {expected}; "
                    f"give ({', '.join(axes)})"
                )
    (_, heads), (_, groups) = lengths["H"], lengths["G"]
    if not groups or heads % groups:
        raise InputError(f"B: axis 2, G, is {groups}; give a number that divides the {heads} heads of x")
    if strict:
        check_finite(tensors)
