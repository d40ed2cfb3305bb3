"""What an ensemble makes of its members' streams of scores: common targets, and the agreement that comes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from affectkit.errors import ConfigError, StreamError, listed
from affectkit.spelling import folded
from affectkit.streams import PredictionStream
from affectkit.tracing import Trace

AGREEMENT = "_agreement"
_OF_DECISIONS, _OF_VALUES = ("share", "divergence", "members"), ("spread", "members")


def own_outputs(trace: Trace) -> tuple[str, ...]:
    """What a member scores itself: not the agreement of its own members, which nobody else has an opinion of."""
    paths = (step.path.partition("agreement.") for step in trace)
    said = {output + AGREEMENT for before, found, output in paths if found and not before}
    return tuple(name for name in trace.outputs if name not in said)


def join_streams(
    path: str, streams: Mapping[str, PredictionStream], targets: Literal["intersection", "union"]
) -> dict[str, PredictionStream]:
    """Streams of one output as they can be joined or compared: the same targets in the same order.

    Raises:
        StreamError: at `path`; they differ in the problem, in the resolution or in the spelling of targets, or have too
            few targets in common.
    """
    first_member, first = next(iter(streams.items()))
    for member, stream in streams.items():
        for fact in ("problem", "resolution"):
            one, other = getattr(first, fact), getattr(stream, fact)
            if one != other:
                text = f"{fact} of {member!r} is {other!r}, of {first_member!r} {one!r}"
                raise StreamError(text, f"members agree on the {fact}", path=path)
    _check_spelling(streams, path)
    common = list(first.targets)
    for stream in streams.values():
        if targets == "intersection":
            common = [target for target in common if target in stream.targets]
        else:
            common += [target for target in stream.targets if target not in common]
    needed = 2 if first.problem == "multiclass" else 1
    if len(common) < needed:
        facts = "; ".join(f"{member!r} has {listed(stream.targets)}" for member, stream in streams.items())
        fact = f"{len(common)} common targets, {first.problem} needs {needed}"
        raise StreamError(fact, facts, path=path)
    return {member: replace(stream, targets=tuple(common)) for member, stream in streams.items()}


def lost_note(streams: Mapping[str, PredictionStream], joined: Mapping[str, PredictionStream]) -> str:
    """Which targets of whom are not joined; empty if all are."""
    lost = {
        member: [target for target in stream.targets if target not in joined[member].targets]
        for member, stream in streams.items()
    }
    facts = "; ".join(f"{listed(targets)} of {member}" for member, targets in lost.items() if targets)
    return f"without {facts}" if facts else ""


def agreement_stream(joined: PredictionStream) -> PredictionStream:
    """The agreement on an output."""
    is_decided = joined.problem in ("multiclass", "multilabel")
    facts = _OF_DECISIONS if is_decided else _OF_VALUES
    return PredictionStream(problem="regression", resolution=joined.resolution, targets=facts)


def is_agreement(output: str, targets: Iterable[str]) -> bool:
    """Whether an output of a table, known by names alone, is about the members of an ensemble and not about a face."""
    return output.endswith(AGREEMENT) and {*targets} <= {*_OF_DECISIONS, *_OF_VALUES}


def compare_streams(
    name: str, own: PredictionStream, traces: Mapping[str, Trace]
) -> tuple[dict[str, PredictionStream], str]:
    """What members that join features say of an output, for its own head's targets; and a note of what they lose.

    Raises:
        ConfigError: a member does not score it, or not all of these targets.
        StreamError: as `join_streams`.
    """
    path, head = f"agreement.{name}", f"heads.{name}"
    for member, trace in traces.items():
        if name not in own_outputs(trace):
            fact = f"member {member!r} does not score {name!r}"
            raise ConfigError(fact, "give it such a head, or write agreement=False", path="agreement")
    streams = {member: trace.outputs[name] for member, trace in traces.items()}
    joined = join_streams(path, {head: own, **streams}, "intersection")
    for member, stream in streams.items():
        missing = [target for target in own.targets if target not in stream.targets]
        if missing:
            fact = f"member {member!r} does not score {listed(missing)}, of {name!r}"
            raise ConfigError(fact, "give its head the ensemble's targets, or write agreement=False", path="agreement")
    del joined[head]
    return joined, lost_note(streams, joined)


def passed_streams(name: str, own: PredictionStream, traces: Mapping[str, Trace]) -> dict[str, PredictionStream]:
    """The agreement on an output that members put out of their own members, by member.

    Raises:
        StreamError: it is of scores of another kind than the ensemble's.
    """
    found = {}
    for member, trace in traces.items():
        if name + AGREEMENT in trace.outputs and name + AGREEMENT not in own_outputs(trace):
            stream, wanted = trace.outputs[name + AGREEMENT], agreement_stream(own)
            if stream != wanted:
                fact = f"member {member!r} says {stream}, and of the ensemble's {name!r} it would be {wanted}"
                raise StreamError(fact, "score it alike, or take the member's agreement out", path=f"agreement.{name}")
            found[member] = stream
    return found


def _check_spelling(streams: Mapping[str, PredictionStream], path: str) -> None:
    """Targets that differ in spelling only would be lost by an intersection, and doubled by a union: refuse them."""
    seen: dict[str, tuple[str, str]] = {}
    for member, stream in streams.items():
        for target in stream.targets:
            other, spelling = seen.setdefault(folded(target), (member, target))
            if spelling != target and other != member:
                text = f"{other!r} has {spelling!r}, {member!r} has {target!r}"
                raise StreamError(text, "spell common targets the same way", path=path)
