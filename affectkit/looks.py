"""Tied members as looks at one batch: what they share runs once, on the pictures of all looks.

    batch ─▶ front-ends of each look ─▶ one batch of all ─▶ the first member ─▶ its scores, cut into those of the looks

A network that is given one face a time spends much of it on calling the next layer, and two faces take it less than
twice as long. So the looks of small batches share a batch. The result differs in rounding alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.interfaces import NamedModules, Stage
from affectkit.model import Memo
from affectkit.outputs import Clocks
from affectkit.pipeline import PipelineConfig
from affectkit.pipeline_model import is_fixed
from affectkit.score_joining import can_look
from affectkit.sequences import Batch, Scores, Sequence
from affectkit.tying import leading_stages

# Frames of one look beyond which a batch of all of them is no faster, and takes more room.
AT_ONCE = 16
# By look and input, the front-ends that come first in each branch that sees the input; alike in all of them.
Fronts = dict[str, dict[str, list[list[Stage[Any]]]]]


def find_fronts(members: NamedModules) -> Fronts | None:
    """What each of some tied members does first; None if that can't be done outside of them.

    It can where the first member begins with nothing of its own, and what the others do has no weights. Frozen
    extractors are left to ensembles further out, which let them see a picture once for all that contain them.
    """
    first, *_ = members
    if _has_frozen(members[first].config):
        return None
    fronts: Fronts = {}
    for name in members:
        member = members[name]
        paths, stages = leading_stages(members[first].config, member.config), member.stages()
        if paths is None or not all(is_fixed(stages[path]) for each in paths.values() for one in each for path in one):
            return None
        fronts[name] = {given: [[stages[path] for path in one] for one in each] for given, each in paths.items()}
    return fronts


def run_looks(
    members: NamedModules, fronts: Fronts, batches: Mapping[str, Batch], memo: Memo | None
) -> tuple[dict[str, Scores], dict[str, Clocks]] | None:
    """Raw scores and clocks of every look, by one run of the first member.

    Arguments:
        members: tied ones.
        fronts: what each does first.
        batches: what each is given, checked.
        memo: as members take it.

    Returns:
        None where members have to run one by one: in training, where a graph is recorded, for more than `AT_ONCE`
        frames, where looks differ in their shape or a dial of one branch alone was turned; and where an input is
        refused, so that who runs them one by one says by whom.
    """
    first, *_ = members
    values = next(iter(batches[first].values())).values
    # first, since a recorded graph would be for the size that is asked about
    if members[first].training or not can_look(values):
        return None
    if max(sequence.mask.numel() for sequence in batches[first].values()) > AT_ONCE:
        return None
    together: dict[str, Sequence] = {}
    try:
        for name in batches[first]:
            seen = [_look(fronts[look][name], batches[look][name]) for look in members]
            stacked = _stack([one for one in seen if one is not None])
            if stacked is None or None in seen:
                return None
            together[name] = stacked
        scores, clocks = members[first].run(together, None, {}, memo)
    except InputError:
        return None
    parts = dict(zip(members, range(0, len(members) * len(values), len(values)), strict=True))
    own = {id(one.mask): batches[first][name].mask for name, one in together.items()}
    own |= {id(one.times): batches[first][name].times for name, one in together.items()}

    def cut(tensor: Tensor, begin: int) -> Tensor:
        # the tensor that all looks were given, where it is still that: who joins them sees by identity that it is one
        return own[id(tensor)] if id(tensor) in own else tensor[begin : begin + len(values)]

    raw = {look: {name: cut(one, begin) for name, one in scores.items()} for look, begin in parts.items()}
    return raw, {
        look: {name: (cut(mask, begin), cut(times, begin)) for name, (mask, times) in clocks.items()}
        for look, begin in parts.items()
    }


def _look(fronts: list[list[Stage[Any]]], sequence: Sequence) -> Sequence | None:
    """A sequence as one look sees it; None if its branches do not see the same."""
    first, *others = fronts
    if any(one.config != other.config for each in others for one, other in zip(first, each, strict=True)):
        return None
    for stage in first:
        sequence = stage(sequence)
    return sequence


def _stack(seen: list[Sequence]) -> Sequence | None:
    """Sequences as one batch; None unless they have one shape, mask and times."""
    first, *others = seen
    for one in others:
        is_alike = one.mask is first.mask and one.times is first.times and one.values.shape == first.values.shape
        if not is_alike:
            return None
    count = len(seen)
    # as many rows as all looks have, of one look's mask and times
    mask, times = first.mask.repeat(count, 1), first.times.repeat(count, 1)
    return Sequence(torch.cat([one.values for one in seen]), mask, times)


def _has_frozen(config: Any) -> bool:
    """Whether a branch, of a member too, is one that a memo may know."""
    if isinstance(config, EnsembleConfig):
        return any(_has_frozen(member) for member in config.members.values())
    if not isinstance(config, PipelineConfig):
        return True
    branches = [[*one.motion, *([] if one.features is None else [one.features])] for one in config.branches.values()]
    return any(parts and all(part.is_frozen for part in parts) for parts in branches)
