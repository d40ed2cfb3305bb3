"""How an ensemble joins what its members score: to common targets, without what is not finite, and the loss of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affectkit.errors import InputError, LeftOutWarning
from affectkit.interfaces import LateFusion
from affectkit.sequences import Targets, masked_mean
from affectkit.streams import PredictionStream, Problem, Resolution

# Not smaller: in float32 1 - 1e-8 is 1, and its logit infinite.
_TINY = 1e-7


def restrict(values: Tensor, own: tuple[str, ...], stream: PredictionStream, fill: float) -> Tensor:
    """One member's probabilities or values `(..., K)` of its targets for those of `stream`, `fill` for the unknown.

    Rows of a distribution sum to 1 again. What is NaN stays NaN.
    """
    if own == stream.targets:
        return values
    # a last column that every unknown target points to
    padded = torch.cat([values, values.new_full((*values.shape[:-1], 1), fill)], dim=-1)
    values = padded[..., [own.index(target) if target in own else len(own) for target in stream.targets]]
    if stream.problem != "multiclass":
        return values
    total = values.sum(dim=-1, keepdim=True)
    # A member that is certain of a target of its own says nothing about the common ones.
    # clamped although `where` below discards it: 0 / 0 would still make the gradient NaN
    share = values / total.clamp(min=torch.finfo(values.dtype).tiny)
    return torch.where(total == 0, 1 / len(stream.targets), share)


def can_look(values: Tensor) -> bool:
    """Whether a decision may depend on `values`: not where a graph is recorded, nor where there are none."""
    is_recording = torch.compiler.is_compiling() or torch.compiler.is_exporting()
    return not (is_recording or values.is_meta)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether tensors of one device are surely finite, by one look at all of them; False where none may look."""
    given = [tensor.detach() for tensor in tensors]
    if not can_look(given[0]):
        return False
    every = given[0] if len(given) == 1 else torch.cat([tensor.flatten() for tensor in given])
    # a sum is one step, and is finite if all of it are; where finite numbers overflow in it, who looks at rows sees so
    return math.isfinite(every.sum().item())


def find_usable(
    members: Mapping[str, Tensor], masks: Mapping[str, Tensor], resolution: Resolution
) -> dict[str, Tensor]:
    """By member the rows `(...)` of its values `(..., K)` that are finite, or padding by its mask `(B, T)`."""
    found = {}
    for name, values in members.items():
        mask = masks[name].to(values.device)
        found[name] = values.isfinite().all(dim=-1) | ~(mask if resolution == "frame" else mask.any(dim=1))
    return found


def check_finite(member: str, what: str, usable: Tensor, suggestion: str) -> None:
    """Raise InputError that names the member, unless it gave finite numbers in every row.

    Under torch.compile and in an export nothing is checked, and what is NaN stays so.
    """
    if can_look(usable) and not bool(usable.all()):
        count = int((~usable).sum())
        fact = f"{what} not finite (NaN or infinite) in {count} of {usable.numel()} rows"
        raise InputError(f"members.{member}: {fact}; {suggestion}")


def join_rows(
    fusion: LateFusion[Any], members: Mapping[str, Tensor], usable: Mapping[str, Tensor], output: str
) -> Tensor:
    """Members' values `(..., K)` joined, each row by the members that are `usable` `(...)` in it; NaN where none is."""
    present = torch.stack(list(usable.values()), dim=-1)
    if not can_look(present) or bool(present.all()):
        return fusion(members)  # type: ignore[no-any-return]
    for name, rows in usable.items():
        if not bool(rows.all()):
            text = f"members.{name}: output {output!r} is not finite in some rows; they are joined without it"
            warnings.warn(text, LeftOutWarning, stacklevel=2)
    first = next(iter(members.values()))
    joined = torch.full_like(first, float("nan")).flatten(0, -2)
    present = present.flatten(0, -2)
    # there are as many patterns as kinds of failure, and mostly two
    for pattern in torch.unique(present, dim=0):
        named = [name for name, is_there in zip(usable, pattern.tolist(), strict=True) if is_there]
        rows = (present == pattern).all(dim=-1).nonzero().squeeze(-1)
        if named:
            part = fusion({name: members[name].flatten(0, -2)[rows] for name in named})
            joined = joined.index_put((rows,), part.to(joined.dtype))
    return joined.reshape(first.shape)


def to_scores(values: Tensor, problem: Problem) -> Tensor:
    """Probabilities to log-probabilities (multiclass) or logits (multilabel); values as they are."""
    if problem == "multiclass":
        return values.clamp(min=_TINY).log()
    if problem == "multilabel":
        return torch.logit(values, eps=_TINY)
    return values


def joint_loss(scores: Tensor, targets: Targets, mask: Tensor, stream: PredictionStream) -> Tensor:
    """Loss of joined scores, for late fusions that learn: cross-entropy, binary cross-entropy, or squared error.

    Raises:
        InputError: labels of another shape than the scores, or a valid class index that is no class.
    """
    classes = stream.problem == "multiclass"
    shape = tuple(scores.shape[:-1] if classes else scores.shape)
    for name, tensor in (("values", targets.values), ("valid", targets.valid)):
        if tuple(tensor.shape) != shape:
            raise InputError(f"targets: shape {tuple(tensor.shape)} of {name}; the joined scores need {shape}")
    real = mask if stream.resolution == "frame" else mask.any(dim=1)
    valid = targets.valid & (real if classes else real.unsqueeze(-1))
    if classes:
        if targets.values.is_floating_point():
            fact = f"targets: dtype {targets.values.dtype}"
            raise InputError(f"{fact}; class indices are whole numbers, give torch.int64")
        wrong = targets.values[valid & ((targets.values < 0) | (targets.values >= scores.shape[-1]))]
        if len(wrong):
            raise InputError(f"targets: class {int(wrong[0])}; write 0 to {scores.shape[-1] - 1}, or mark it not valid")
        # labels that are not valid are often -1, which gather refuses
        index = torch.where(valid, targets.values, 0).unsqueeze(-1)
        return masked_mean(-scores.gather(-1, index).squeeze(-1), valid)
    # a label that is not valid may be NaN, which would reach the gradient although the loss is masked
    wanted = torch.where(valid, targets.values.to(scores.dtype), torch.zeros_like(scores))
    if stream.problem == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    else:
        each = (scores - wanted) ** 2
    return masked_mean(each, valid)
