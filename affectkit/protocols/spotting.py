"""Scores of spotted events: pooled over all videos, by kind and overall, with intervals over subjects.

The data set counts as one video: true positives, false positives and false negatives are summed, and scored once
(Micro-Expression Grand Challenges 2019 to 2023). Micro is matched with micro and macro with macro; overall is the
score of their sums, and neither their mean nor a score that pays no heed to kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence as Items
from dataclasses import dataclass

import numpy as np

from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import Counts, Scores
from affectkit.metrics.spotting import SpottingCounts, spotting_f1, spotting_precision, spotting_recall
from affectkit.protocols.events import Events
from affectkit.protocols.matching import Matching, match_events

OVERALL = "overall"
SCORES = {"precision": spotting_precision, "recall": spotting_recall, "F1": spotting_f1}


@dataclass(frozen=True)
class SpottingSlice:
    """Videos with one value of a column; means over the seeds.

    Attributes:
        videos, subjects: how many.
        events: true ones of the kinds that are scored.
        f1: `overall`, and by kind.
    """

    videos: int
    subjects: int
    events: int
    f1: Mapping[str, float]


@dataclass(frozen=True)
class SpottingReport:
    """What `score_events` found.

    Attributes:
        kinds: that were told apart; none where the truth names none.
        videos, subjects, seeds: how many.
        quiet: videos without a true event of these kinds: all that is found there is wrong.
        counts: `overall` and by kind, summed over the seeds.
        scores: `precision`, `recall` and `F1`, `overall` and by kind, means over the seeds.
        apex_error: mean distance of the apexes of true positives, frames or seconds as the events are; NaN where none
            of them has two.
        slices: by value of the column that was asked for.
        left_out: predictions of other kinds, by kind, which are not scored.
    """

    kinds: tuple[str, ...]
    videos: int
    subjects: int
    seeds: int
    quiet: int
    counts: Mapping[str, SpottingCounts]
    scores: Mapping[str, Mapping[str, Interval]]
    apex_error: float
    slices: Mapping[str, SpottingSlice]
    left_out: Mapping[str, int]


def score_events(
    found: Events, truth: Events, *, kinds: Items[str] | None = None, by: str | None = None, iou: float = 0.5
) -> SpottingReport:
    """Match the events of each video, sum the counts, and score them.

    Arguments:
        found, truth, kinds, iou: as `match_events` takes them.
        by: a column of the truth, such as `dataset`, each of whose values is scored too.

    Raises:
        InputError: as `match_events`; there is no such column, it says two things of one video, or there are fewer
            than two subjects.
    """
    matching = match_events(found, truth, kinds=kinds, iou=iou)
    runs = count_matches(matching)
    pooled = runs.sum(axis=(0, 1))
    rows = _rows(matching)
    return SpottingReport(
        kinds=tuple(filter(None, matching.kinds)),
        videos=len(matching.subjects),
        subjects=runs.shape[1],
        seeds=runs.shape[0],
        quiet=len(set(matching.subjects) - {match.video for match in matching.matches if match.true is not None}),
        counts={name: SpottingCounts(*map(int, row(pooled))) for name, row in rows.items()},
        scores={
            name: {label: bootstrap_score(runs, _scored(row, score)) for label, score in SCORES.items()}
            for name, row in rows.items()
        },
        apex_error=_apex_error(matching, found, truth),
        slices={} if by is None else _slices(matching, truth.by_video(by)),
        left_out=matching.left_out,
    )


def compare_events(
    ours: Events, theirs: Events, truth: Events, *, kinds: Items[str] | None = None, iou: float = 0.5
) -> dict[str, Interval]:
    """F1 of `ours` less that of `theirs`, `overall` and by kind, by the paired bootstrap over subjects.

    Both are compared with the same truth, so on the same videos; a video in which one found nothing counts as such.

    Raises:
        InputError: as `score_events`.
    """
    one, other = (match_events(found, truth, kinds=kinds, iou=iou) for found in (ours, theirs))
    mine, others = count_matches(one), count_matches(other)
    return {
        name: bootstrap_difference(mine, others, _scored(row, spotting_f1), same_rows=False)
        for name, row in _rows(one).items()
    }


def count_matches(matching: Matching) -> Counts:
    """True positives, false positives, false negatives of each seed, subject and kind, `(K, S, kinds, 3)`."""
    counts = np.zeros((*matching.shape, len(matching.kinds), 3), np.int64)
    for match, place in matching.places():
        counts[(*place, matching.kinds.index(match.kind), match.outcome)] += 1
    return counts


def _rows(matching: Matching) -> dict[str, Callable[[Counts], Counts]]:
    """What of counts `(..., kinds, 3)` is scored, by name."""

    def row_of(at: int) -> Callable[[Counts], Counts]:
        return lambda counts: counts[..., at, :]

    rows: dict[str, Callable[[Counts], Counts]] = {OVERALL: lambda counts: counts.sum(axis=-2)}
    return rows | {kind: row_of(at) for at, kind in enumerate(matching.kinds) if kind}


def _scored(row: Callable[[Counts], Counts], score: Callable[[Counts], Scores]) -> Callable[[Counts], Scores]:
    return lambda counts: score(row(counts))


def _slices(matching: Matching, values: Mapping[str, str]) -> dict[str, SpottingSlice]:
    slices = {}
    for value in sorted(set(values.values())):
        part = matching.within([video for video in values if values[video] == value])
        counts = count_matches(part).sum(axis=1)
        f1 = {name: float(spotting_f1(row(counts)).mean()) for name, row in _rows(part).items()}
        events = int(counts[0][..., [0, 2]].sum())
        slices[value] = SpottingSlice(len(part.subjects), part.shape[1], events, f1)
    return slices


def _apex_error(matching: Matching, found: Events, truth: Events) -> float:
    ours, theirs = found.apexes, truth.apexes
    errors = [
        abs(one - other)
        for match in matching.matches
        if match.found is not None and match.true is not None
        if (one := ours[match.found]) is not None and (other := theirs[match.true]) is not None
    ]
    return sum(errors) / len(errors) if errors else math.nan
