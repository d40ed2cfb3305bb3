"""The selective scan of S6, by the fastest path that this machine has. Symbols as in `selective_scan_ref`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.ops.exporting import is_exporting
from affectkit.ops.scan_checks import check_arguments, check_finite, check_outcome
from affectkit.ops.scan_inputs import ScanInputs
from affectkit.ops.scan_mamba_ssm import scan_mamba_ssm
from affectkit.ops.scan_op import scan
from affectkit.ops.scan_paths import choose_path, describe_paths
from affectkit.ops.scan_traced import scan_traced


def selective_scan(
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
    *,
    path: str | None = None,
    strict: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The scan in float32, or in float64 if `u` is; with gradients for all tensors, and for the last state.

    Memory is O(B D L): a backward pass makes the states anew. Its gradient can't be differentiated again. What an
    exporter traces is plain torch operations with memory O(B D L N), unless a `path` is given.

    Arguments:
        u: input `(B, D, L)`; B and L may be 0.
        delta: step sizes `(B, D, L)`, before bias and softplus.
        A: `(D, N)`; negative for a state that fades.
        B: `(B, N, L)`, or `(B, G, N, L)`: of G groups of D / G channels each.
        C: as `B`; may have another number of groups.
        D: `(D,)`, what passes by the state.
        z: gate `(B, D, L)`.
        delta_bias: `(D,)`.
        delta_softplus: whether step sizes go through a softplus.
        return_last_state: whether the state behind the last step is returned too.
        path: one of `mamba-ssm`, `native`, `numba`, `torch`; left out, the fastest that can compute this.
        strict: whether inputs are searched for values that are not finite before anything else. If not, they are
            only if the output isn't finite, for which the host waits; while a CUDA graph is recorded, not at all.

    Returns:
        `(B, D, L)` in the type of `u`; with `return_last_state` also `(B, D, N)` in at least float32.

    Raises:
        InputError: shapes or types don't fit each other; an input is NaN or infinite, and so is the output; the path
            doesn't compute this; or, in a backward pass, the gradient is differentiated.
        MissingDependencyError: the path needs what is not installed.
    """
    tensors = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias}
    check_arguments(tensors)
    if strict:
        check_finite(tensors)
    exact = torch.promote_types(u.dtype, torch.float32)
    if path is None and is_exporting():
        y, last = scan_traced(_uniform(tensors, delta_softplus, exact, exact).grouped())
        return (y.to(u.dtype), last) if return_last_state else y.to(u.dtype)
    learns = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors.values())
    only_torch = u.numel() == 0 or (return_last_state and learns)
    kernel = choose_path(path, str(u.device), str(exact).removeprefix("torch."), A.shape[1], only_torch)
    if kernel == "mamba-ssm":
        # it reads half precision itself
        y, last = scan_mamba_ssm(_uniform(tensors, delta_softplus, u.dtype, exact).grouped())
        check_outcome(y, tensors)
    else:
        y, last = scan(_uniform(tensors, delta_softplus, exact, exact), kernel)
    y = y if y.dtype == u.dtype else y.to(u.dtype)
    return (y, last) if return_last_state else y


def describe_scan() -> str:
    """One line: which path is active on this machine, and why; builds nothing.

    Raises:
        InputError: `AFFECTKIT_SCAN` names no path.
        MissingDependencyError: it names one that needs what is not installed.
    """
    return describe_paths()


def _uniform(tensors: dict[str, Tensor | None], softplus: bool, of_time: torch.dtype, exact: torch.dtype) -> ScanInputs:
    """All contiguous, steps in type `of_time`, the rest in `exact`; B and C in equally many groups, or both without."""
    made = {}
    for name, one in tensors.items():
        kind = exact if name in ("A", "D", "delta_bias") else of_time
        # asking is faster than a conversion that has nothing to do
        right = one if one is None or one.dtype == kind else one.to(kind)
        made[name] = right if right is None or right.is_contiguous() else right.contiguous()
    u, delta, a, b, c, skip, z, bias = made.values()
    assert u is not None
    assert delta is not None
    assert a is not None
    assert b is not None
    assert c is not None
    if b.dim() != c.dim():
        b, c = (one[:, None] if one.dim() == 3 else one for one in (b, c))
    if b.dim() == 4 and b.shape[1] != c.shape[1]:
        groups = math.lcm(b.shape[1], c.shape[1])
        b, c = (one.repeat_interleave(groups // one.shape[1], dim=1) for one in (b, c))
    return ScanInputs(u, delta, a, b, c, skip, z, bias, softplus)
