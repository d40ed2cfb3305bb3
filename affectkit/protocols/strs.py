"""Spot-then-recognize: events are found and named, and scored by STRS, with intervals over subjects.

Only events that were found are named, so the names are those of true positives. `affectkit.metrics.strs` says how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence as Items
from dataclasses import dataclass

import numpy as np

from affectkit.data.labels import MICRO_3
from affectkit.errors import InputError
from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import Counts, Scores
from affectkit.metrics.spotting import SpottingCounts, spotting_f1
from affectkit.metrics.strs import analysis_f1, analysis_precision, analysis_recall, strs
from affectkit.protocols.events import Events
from affectkit.protocols.matching import Matching, match_events

# What an event may be called that is none of the classes.
OTHERS = ("", "others")


@dataclass(frozen=True)
class StrsSlice:
    """Videos with one value of a column; means over the seeds.

    Attributes:
        videos, subjects: how many.
        scores: as those of the report.
    """

    videos: int
    subjects: int
    scores: Mapping[str, float]


@dataclass(frozen=True)
class StrsReport:
    """What `score_named_events` found.

    Attributes:
        classes: in the order of the matrix.
        videos, subjects, seeds: how many.
        counts: of spotting, summed over the seeds.
        scores: `spotting F1`, `analysis precision`, `analysis recall`, `analysis F1` and `STRS`, means over the seeds.
        confusion: of true positives, `(C, C + 1)`, truth in rows, the last column for no class; summed over the seeds.
        unnamed: true positives whose true class is none of these: not analyzed.
        absent: classes that no true positive has; they count 0.
        slices: by value of the column that was asked for.
        left_out: predictions of other kinds, by kind, which are not scored.
    """

    classes: tuple[str, ...]
    videos: int
    subjects: int
    seeds: int
    counts: SpottingCounts
    scores: Mapping[str, Interval]
    confusion: Counts
    unnamed: int
    absent: tuple[str, ...]
    slices: Mapping[str, StrsSlice]
    left_out: Mapping[str, int]


def score_named_events(
    found: Events,
    truth: Events,
    *,
    classes: Items[str] = MICRO_3,
    kinds: Items[str] | None = ("micro-expression",),
    by: str | None = None,
    iou: float = 0.5,
) -> StrsReport:
    """Match the events of each video, and score how many were found and how they are named.

    Arguments:
        found: predictions of one seed or several, with a column `label`; empty where the system names nothing.
        truth: with a column `label`: one of the classes, or `others` or nothing, which is not analyzed.
        classes: fixed beforehand, two or more.
        kinds: as `match_events` takes them; the challenges score micro-expressions. Without effect where the truth has
            no column `kind`.
        by: a column of the truth each of whose values is scored too.
        iou: overlap from which a prediction counts.

    Raises:
        InputError: as `match_events`; there are no labels, or others than these; there is no such column, it says two
            things of one video, or there are fewer than two subjects or classes.
    """
    matching, runs = _counted(found, truth, classes, kinds, iou)
    pooled = runs.sum(axis=(0, 1))
    confusion = _confusion(pooled)
    counts = SpottingCounts(*map(int, _counts(pooled)))
    unnamed = counts.true_positives - int(confusion.sum())
    return StrsReport(
        classes=tuple(classes),
        videos=len(matching.subjects),
        subjects=runs.shape[1],
        seeds=runs.shape[0],
        counts=counts,
        scores={name: bootstrap_score(runs, score) for name, score in SCORES.items()},
        confusion=confusion,
        unnamed=unnamed,
        absent=tuple(name for name, count in zip(classes, confusion.sum(axis=1), strict=True) if not count),
        slices={} if by is None else _slices(matching, truth.by_video(by), found, truth, classes),
        left_out=matching.left_out,
    )


def compare_named_events(
    ours: Events,
    theirs: Events,
    truth: Events,
    *,
    classes: Items[str] = MICRO_3,
    kinds: Items[str] | None = ("micro-expression",),
    iou: float = 0.5,
) -> dict[str, Interval]:
    """Scores of `ours` less those of `theirs`, with intervals by the paired bootstrap over subjects.

    Raises:
        InputError: as `score_named_events`.
    """
    mine, others = (_counted(found, truth, classes, kinds, iou)[1] for found in (ours, theirs))
    return {name: bootstrap_difference(mine, others, score, same_rows=False) for name, score in SCORES.items()}


def _counts(cells: Counts) -> Counts:
    return cells[..., 0, :3]


def _confusion(cells: Counts) -> Counts:
    return cells[..., 1:, :]


SCORES: Mapping[str, Callable[[Counts], Scores]] = {
    "spotting F1": lambda cells: spotting_f1(_counts(cells)),
    "analysis precision": lambda cells: analysis_precision(_confusion(cells)),
    "analysis recall": lambda cells: analysis_recall(_confusion(cells)),
    "analysis F1": lambda cells: analysis_f1(_confusion(cells)),
    "STRS": lambda cells: strs(_counts(cells), _confusion(cells)),
}


def _counted(
    found: Events, truth: Events, classes: Items[str], kinds: Items[str] | None, iou: float
) -> tuple[Matching, Counts]:
    if len(set(classes)) < 2 or len(set(classes)) < len(classes):
        raise InputError(f"classes: {', '.join(classes)}; give two or more, each once")
    matching = match_events(found, truth, kinds=kinds if "kind" in truth.columns else None, iou=iou)
    _check_labels(found, [match.found for match in matching.matches], classes)
    _check_labels(truth, [match.true for match in matching.matches], classes)
    return matching, _tally(matching, found, truth, classes)


def _check_labels(events: Events, lines: Items[int | None], classes: Items[str]) -> None:
    if "label" not in events.columns and len(events):
        raise InputError(f"{events.source}: no column 'label'; say what each event is called, or score the spotting")
    there = {events.labels[line] for line in lines if line is not None}
    if unknown := sorted(there - {*classes, *OTHERS}):
        raise InputError(
            f"{events.source}: label {unknown[0]!r} is none of {', '.join(classes)}, nor 'others'; name all with "
            "--classes (in Python classes=...), or mend it"
        )


def _tally(matching: Matching, found: Events, truth: Events, classes: Items[str]) -> Counts:
    """Of each seed and subject the counts of spotting, in the first row, and the confusion below it.

    Shape `(K, S, C + 1, C + 1)`: one array, so that subjects are drawn once for both.
    """
    size = len(classes) + 1
    cells = np.zeros((*matching.shape, size, size), np.int64)
    numbers = {name: number for number, name in enumerate(classes)}
    named, true = found.labels, truth.labels
    for match, place in matching.places():
        cells[(*place, 0, match.outcome)] += 1
        if match.found is not None and match.true is not None and true[match.true] in numbers:
            cells[(*place, 1 + numbers[true[match.true]], numbers.get(named[match.found], size - 1))] += 1
    return cells


def _slices(
    matching: Matching, values: Mapping[str, str], found: Events, truth: Events, classes: Items[str]
) -> dict[str, StrsSlice]:
    slices = {}
    for value in sorted(set(values.values())):
        part = matching.within([video for video in values if values[video] == value])
        cells = _tally(part, found, truth, classes).sum(axis=1)
        scores = {name: float(score(cells).mean()) for name, score in SCORES.items()}
        slices[value] = StrsSlice(len(part.subjects), part.shape[1], scores)
    return slices
