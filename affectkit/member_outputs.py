"""How an ensemble joins one output of its members, which they score each on a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from affectkit.agreement import measure_agreement
from affectkit.errors import InputError
from affectkit.score_joining import (
    all_finite,
    can_look,
    check_finite,
    find_usable,
    join_rows,
    restrict,
    to_scores,
)

if TYPE_CHECKING:
    from affectkit.ensemble_model import Ensemble

# Seconds within which two times are the same, as in the fusions of features.
SAME_TIME = 1e-6


class Joined(NamedTuple):
    """One output of all members as one.

    Attributes:
        scores: raw, `(B, K)` or `(B, T, K)`.
        mask, times: `(B, T)`, or `(B, 1)` of clips; real where the output was scored.
        agreement: of the members, `(B, ..., 2 or 3)`; None where it is not asked for.
    """

    scores: Tensor
    mask: Tensor
    times: Tensor
    agreement: Tensor | None


def join_output(
    ensemble: Ensemble,
    output: str,
    raw: Mapping[str, Tensor],
    clocks: Mapping[str, tuple[Tensor, Tensor]],
    device: torch.device,
) -> Joined:
    """One output of an ensemble that joins scores, from its members' raw ones and their clocks, by member.

    Raises:
        InputError: members score other clips or steps, or at other times; or one is not finite, unless it is dropped.
    """
    first, *others = raw
    for name in others:
        one, other = tuple(raw[first].shape[:-1]), tuple(raw[name].shape[:-1])
        if one != other:
            fact = f"members {first!r} and {name!r} score {one} and {other} clips and steps"
            raise InputError(f"fusion.{output}: {fact}; give the same clips, on one clock where frames are scored")
    stream = ensemble.traced.outputs[output]
    is_frame = stream.resolution == "frame"
    decoded, values = decode_members(ensemble, output, raw, device)
    mask, times = _join_clocks(ensemble, output, clocks, device)
    # By member; empty where every member is usable in every row, which is the usual case.
    usable: dict[str, Tensor] = {}
    if not all_finite(decoded.values()):
        usable = find_usable(decoded, {name: own for name, (own, _) in clocks.items()}, stream.resolution)
    if ensemble.on_nan == "drop":
        joined = (
            join_rows(ensemble.fusion[output], values, usable, output) if usable else ensemble.fusion[output](values)
        )
        # not whether any member is usable: those that are may have no weight
        if usable or not all_finite([joined]):
            found = joined.isfinite().all(dim=-1) | ~(mask if is_frame else mask[:, 0])
            usable = {name: usable.get(name, found) & found for name in values}
            mask = mask & (found if is_frame else found.unsqueeze(-1))
    else:
        for name, one_usable in usable.items():
            hint = "mend the member or what it is given, or write on_nan='drop' to join the others"
            check_finite(name, f"output {output!r} is", one_usable, hint)
        joined = ensemble.fusion[output](values)
    agreement = None
    if ensemble.has_agreement:
        who = torch.stack(list(usable.values())) if usable else None
        agreement = measure_agreement(torch.stack(list(values.values())), who, joined, stream.problem)
    return Joined(to_scores(joined, stream.problem), mask, times, agreement)


def decode_members(
    ensemble: Ensemble, output: str, raw: Mapping[str, Tensor], device: torch.device
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Members' probabilities or values: of their own targets, and of the ensemble's."""
    stream = ensemble.traced.outputs[output]
    fill = 0.0 if ensemble.fill is None else ensemble.fill
    # decoded where the member is: its head may have tensors of its own
    decoded = {name: ensemble.members[name].decode(output, scores).to(device) for name, scores in raw.items()}
    values = {
        name: restrict(one, ensemble.members[name].traced.outputs[output].targets, stream, fill)
        for name, one in decoded.items()
    }
    return decoded, values


def _join_clocks(
    ensemble: Ensemble, output: str, clocks: Mapping[str, tuple[Tensor, Tensor]], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mask and times of joined scores: `(B, T)`, real where every member scored something; `(B, 1)` for clips."""
    if ensemble.traced.outputs[output].resolution == "clip":
        clocks = {name: (mask.any(dim=1, keepdim=True), times[:, :1]) for name, (mask, times) in clocks.items()}
    (first, (own, times)), *others = clocks.items()
    mask, at_home = own.to(device), times.to(device)
    for _, (other, _) in others:
        # the same tensor is the usual case
        if other is not own:
            mask = mask & other.to(device)
    is_compared = ensemble.traced.outputs[output].resolution == "frame" and can_look(mask)
    for name, (_, other) in others:
        # the same tensor is the usual case, and .item() would make the CPU wait for the GPU
        if other is not times and is_compared:
            apart = (other.to(device) - at_home).abs().masked_fill(~mask, 0.0).max().item()
            # written so that a NaN time counts as different
            if not apart <= SAME_TIME:
                fact = f"members {first!r} and {name!r} score frames up to {apart:.3g} s apart"
                raise InputError(f"fusion.{output}: {fact}; bring them to one clock in the loader")
    return mask, at_home
