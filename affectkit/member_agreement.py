"""What an ensemble says of how far its members agree, where it joins features, and where they are ensembles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from affectkit.agreement import average_agreement, measure_agreement
from affectkit.errors import InputError
from affectkit.member_outputs import decode_members
from affectkit.outputs import Clocks
from affectkit.score_joining import all_finite, check_finite, find_usable
from affectkit.score_streams import AGREEMENT
from affectkit.sequences import Scores

if TYPE_CHECKING:
    from affectkit.ensemble_model import Ensemble


def say_agreement(
    ensemble: Ensemble, output: str, scores: Tensor, raw: Mapping[str, Scores], clocks: Mapping[str, Clocks]
) -> Tensor:
    """The agreement on an output of an ensemble that joins features; in training nobody is asked, and all is NaN.

    Arguments:
        scores: raw, of the ensemble's own head.
        raw, clocks: of the members that are `scoring`, by member and output.

    Raises:
        InputError: a member scores other clips or steps, or is not finite.
    """
    if ensemble.training:
        said = scores.new_full((*scores.shape[:-1], len(ensemble.traced.outputs[output + AGREEMENT].targets)), math.nan)
        said[..., -1] = 0
        return said
    return (
        _compare(ensemble, output, scores, raw, clocks)
        if ensemble.has_agreement
        else pass_on(ensemble, output, raw, scores.device)
    )


def _compare(
    ensemble: Ensemble, output: str, scores: Tensor, raw: Mapping[str, Scores], clocks: Mapping[str, Clocks]
) -> Tensor:
    """Agreement of what members' heads say with the raw `scores` of the ensemble's own."""
    given = {name: raw[name][output] for name in ensemble.asked[output]}
    for name, one in given.items():
        theirs, ours = tuple(one.shape[:-1]), tuple(scores.shape[:-1])
        if theirs != ours:
            fact = f"member {name!r} scores {theirs} clips and steps, and the ensemble {ours}"
            raise InputError(f"agreement.{output}: {fact}; fuse on the members' clock, or write agreement=False")
    decoded, values = decode_members(ensemble, output, given, scores.device)
    members, own = torch.stack(list(values.values())), ensemble.decode(output, scores)
    stream = ensemble.traced.outputs[output]
    found = measure_agreement(members, None, own, stream.problem)
    # what is not finite would be seen in it, so that this one look is enough
    if all_finite([found]):
        return found
    usable = find_usable(decoded, {name: clocks[name][output][0] for name in given}, stream.resolution)
    for name, rows in usable.items():
        hint = "mend the member or what it is given, or write agreement=False"
        check_finite(name, f"output {output!r} is", rows, hint)
    return measure_agreement(members, torch.stack(list(usable.values())), own, stream.problem)


def pass_on(ensemble: Ensemble, output: str, raw: Mapping[str, Scores], device: torch.device) -> Tensor:
    """What members put out about their own members, as one."""
    given = torch.stack([raw[name][output + AGREEMENT].to(device) for name in ensemble.asked[output]])
    return given.mean(dim=0) if all_finite([given]) else average_agreement(given)
