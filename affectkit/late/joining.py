"""What every late fusion says about its output: the members' stream, with bounds that hold for all. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from affectkit.errors import StreamError, listed
from affectkit.streams import PROBLEMS, PredictionStream, Problem


def joined_stream(
    members: Mapping[str, PredictionStream], problems: tuple[Problem, ...] = PROBLEMS
) -> PredictionStream:
    """The stream that the members have in common.

    Raises:
        StreamError: there is no member, they differ in problem, resolution or targets, or the problem is not one of
            `problems`.
    """
    if not members:
        raise StreamError("no members", "give at least one")
    name, first = next(iter(members.items()))
    for other, stream in members.items():
        for fact in ("problem", "resolution", "targets"):
            one, two = getattr(first, fact), getattr(stream, fact)
            if one != two:
                raise StreamError(
                    f"{fact} of {other!r} is {two!r}, of {name!r} {one!r}", f"members agree on the {fact}"
                )
    if first.problem not in problems:
        raise StreamError(f"problem {first.problem!r} is not accepted", f"accepts {listed(problems)}")
    bounds = [stream.bounds for stream in members.values() if stream.bounds is not None]
    # one member that may take any value is enough for the joined ones to leave all bounds
    if len(bounds) < len(members):
        return replace(first, bounds=None)
    # the widest, since weights may give any one member all the say
    return replace(first, bounds=(min(low for low, _ in bounds), max(high for _, high in bounds)))
