"""Which predicted event is which true one: what every score of spotting is counted from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence as Items
from dataclasses import dataclass, replace
from typing import get_args

from affectkit.errors import InputError, did_you_mean, listed
from affectkit.metrics.spotting import match_intervals
from affectkit.protocols.events import Events
from affectkit.records import EventKind


@dataclass(frozen=True)
class Match:
    """A predicted and a true event that are the same, or one of them that has no other.

    Attributes:
        seed: of the prediction, or of those that miss the event.
        video: in which.
        kind: of both; empty where kinds aren't told apart.
        found: its line in the predictions; None where nothing was found.
        true: its line in the truth; None where there was nothing to find.
    """

    seed: str
    video: str
    kind: str
    found: int | None
    true: int | None

    @property
    def outcome(self) -> int:
        """Position among the counts: true positive 0, false positive 1, false negative 2."""
        return 2 if self.found is None else int(self.true is None)


@dataclass(frozen=True)
class Matching:
    """All of them.

    Attributes:
        kinds: that were told apart, or one that is empty.
        subjects: of each video of the truth, those without events too.
        seeds: of the predictions.
        matches: each prediction and each true event of these kinds, once per seed.
        left_out: predictions of other kinds, by kind.
    """

    kinds: tuple[str, ...]
    subjects: Mapping[str, str]
    seeds: tuple[str, ...]
    matches: tuple[Match, ...]
    left_out: Mapping[str, int]

    def within(self, videos: Items[str]) -> Matching:
        """What there is in these videos."""
        subjects = {video: self.subjects[video] for video in videos}
        matches = tuple(match for match in self.matches if match.video in subjects)
        return replace(self, subjects=subjects, matches=matches)

    def places(self) -> Iterator[tuple[Match, tuple[int, int]]]:
        """Each with the positions of its seed and of its subject, which are sorted: where arrays count it."""
        seeds = {seed: at for at, seed in enumerate(self.seeds)}
        subjects = {subject: at for at, subject in enumerate(sorted(set(self.subjects.values())))}
        for match in self.matches:
            yield match, (seeds[match.seed], subjects[self.subjects[match.video]])

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of seeds and of subjects."""
        return len(self.seeds), len(set(self.subjects.values()))


def match_events(found: Events, truth: Events, *, kinds: Items[str] | None = None, iou: float = 0.5) -> Matching:
    """Match by video and kind, as `match_intervals` does it, in the order of the lines.

    Arguments:
        found: predictions of one seed or several. A subject's key is the truth's.
        truth: has a column `subject`, and names every video that was looked at.
        kinds: to match; None for those that the truth has. Without a column `kind` there, they aren't told apart.
        iou: overlap from which a prediction counts.

    Raises:
        InputError: the truth has no subjects, no events, several seeds, or an event twice; the predictions have a
            video, subject or unit that the truth has not, or no kinds; or `iou` is no share.
    """
    subjects = truth.by_video("subject")
    _check_truth(truth)
    _check_found(found, truth, subjects)
    kinds = _kinds(truth, kinds)
    seeds = tuple(dict.fromkeys(found.seeds)) or ("",)
    true_lines, found_lines = _lines(truth, kinds), _lines(found, kinds)
    matches: list[Match] = []
    for seed in seeds:
        for video in subjects:
            for kind in kinds:
                ours, theirs = (
                    found_lines.get((seed, video, kind), {}),
                    true_lines.get((truth.seeds[0], video, kind), {}),
                )
                pairs = match_intervals(list(ours.values()), list(theirs.values()), iou=iou, unit=truth.unit)
                lines = list(theirs)
                of_found = [None if pair is None else lines[pair] for pair in pairs]
                matches += [Match(seed, video, kind, *pair) for pair in zip(ours, of_found, strict=True)]
                matches += [Match(seed, video, kind, None, line) for line in lines if line not in of_found]
    others = Counter(
        kind
        for kind, interval in zip(found.kinds, found.intervals, strict=True)
        if interval is not None and kinds != ("",) and kind not in kinds
    )
    return Matching(kinds, subjects, seeds, tuple(matches), dict(sorted(others.items())))


def _lines(events: Events, kinds: Items[str]) -> dict[tuple[str, str, str], dict[int, tuple[float, float]]]:
    """Line and interval of the events of each seed, video and kind."""
    lines: dict[tuple[str, str, str], dict[int, tuple[float, float]]] = {}
    columns = zip(events.seeds, events.videos, events.kinds, events.intervals, strict=True)
    for line, (seed, video, kind, interval) in enumerate(columns):
        if interval is not None:
            lines.setdefault((seed, video, "" if kinds == ("",) else kind), {})[line] = interval
    return lines


def _kinds(truth: Events, kinds: Items[str] | None) -> tuple[str, ...]:
    there = {kind for kind, interval in zip(truth.kinds, truth.intervals, strict=True) if interval is not None}
    if "kind" not in truth.columns:
        if kinds is not None:
            raise InputError(f"{truth.source}: no column 'kind'; write one, or leave kinds= out")
        return ("",)
    for kind in kinds or ():
        if kind not in there:
            raise InputError(
                f"{truth.source}: no event is of kind {kind!r}; {did_you_mean(kind, sorted(there), noun='kinds')}"
            )
    return tuple(kind for kind in get_args(EventKind) if kind in (there if kinds is None else kinds))


def _check_truth(truth: Events) -> None:
    if len(seeds := set(truth.seeds)) > 1:
        raise InputError(f"{truth.source}: {len(seeds)} seeds; what is true is there once")
    events = [
        (video, *interval, kind)
        for video, interval, kind in zip(truth.videos, truth.intervals, truth.kinds, strict=True)
        if interval is not None
    ]
    if not events:
        raise InputError(f"{truth.source}: no event, so there is nothing to find; give at least one")
    (video, onset, offset, kind), often = Counter(events).most_common(1)[0]
    if often > 1:
        what = f"{kind or 'event'} {onset:g} to {offset:g} of {video!r}"
        raise InputError(f"{truth.source}: {what} is there {often} times; keep one line per event")


def _check_found(found: Events, truth: Events, subjects: Mapping[str, str]) -> None:
    if found.unit != truth.unit:
        raise InputError(f"{found.source}: in {found.unit}, but {truth.source} in {truth.unit}; read both alike")
    if "kind" in truth.columns and "kind" not in found.columns:
        raise InputError(f"{found.source}: no column 'kind', which {truth.source} has; say what each event is")
    for video in found.videos:
        if video not in subjects:
            raise InputError(
                f"{found.source}: video {video!r} is not in {truth.source}, which has {listed(subjects)}; add it "
                "there, with empty onset and offset if it has no event"
            )
    if "subject" in found.columns:
        for video, subject in found.by_video("subject").items():
            if subjects[video] != subject:
                raise InputError(
                    f"{found.source}: subject of {video!r} is {subject!r}, but {subjects[video]!r} in {truth.source}; "
                    "mend one of them"
                )
