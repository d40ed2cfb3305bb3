"""Spotting metrics: overlap of intervals, matching, precision, recall and F1.

Intervals are pairs of frame numbers, both ends inclusive, as annotators write them, or of seconds. Counts of videos are
summed and scored once, as if the data set were one video (Micro-Expression Grand Challenges 2019 to 2021). Events of
different kinds are scored apart: match micro with micro, macro with macro, and add the counts for an overall score.

Counts as an array, `(..., 3)`, hold true positives, false positives and false negatives in this order.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.metrics.recognition import Counts, Scores

Interval = tuple[float, float]
Unit = Literal["frames", "seconds"]


@dataclass(frozen=True)
class SpottingCounts:
    """Hits and misses of a spotter. Add those of several videos, then read the scores.

    Attributes:
        true_positives: predictions that match a true event of their own.
        false_positives: predictions that match none, or one that is taken.
        false_negatives: true events that no prediction matches.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: SpottingCounts) -> SpottingCounts:
        return SpottingCounts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """Share of the predictions that are right; 0 where there is no prediction."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the true events that are found; 0 where there is no event."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where there is neither prediction nor event."""
        twice = 2 * self.true_positives
        return _ratio(twice, twice + self.false_positives + self.false_negatives)


def interval_iou(one: Interval, two: Interval, *, unit: Unit = "frames") -> float:
    """Intersection over union of two intervals, in [0, 1].

    Arguments:
        one, two: start and stop.
        unit: of `frames` both ends are inclusive, as the challenges count: (1, 10) and (1, 5) give 0.5. An interval of
            `seconds` is as long as its ends are apart; two moments overlap if they are equal.

    Raises:
        InputError: an interval ends before it starts.
    """
    for start, stop in (one, two):
        # `not a <= b` is true of NaN too
        if not start <= stop:
            raise InputError(f"interval ({start!r}, {stop!r}): ends before it starts; write (onset, offset)")
    last = 1 if unit == "frames" else 0
    common = max(0.0, min(one[1], two[1]) - max(one[0], two[0]) + last)
    union = (one[1] - one[0] + last) + (two[1] - two[0] + last) - common
    return common / union if union else float(one == two)


def match_intervals(
    predicted: Items[Interval], truth: Items[Interval], *, iou: float = 0.5, unit: Unit = "frames"
) -> list[int | None]:
    """For each prediction the index of the true event that it matches, or None; one to one.

    Greedy, in the order of the predictions, as the common scoring code does it: each looks only at the true event that
    it overlaps most, and matches if the overlap is at least `iou` (equal is enough) and nobody before it took that one.
    `unit` is that of `interval_iou`.

    Raises:
        InputError: `iou` is no share, or an interval ends before it starts.
    """
    if not 0 < iou <= 1:
        raise InputError(f"iou: {iou!r} is no overlap to ask for; give more than 0 and at most 1")
    taken: set[int] = set()
    matches: list[int | None] = []
    for interval in predicted:
        overlaps = [interval_iou(interval, other, unit=unit) for other in truth]
        best = max(range(len(truth)), key=overlaps.__getitem__, default=None)
        if best is None or best in taken or overlaps[best] < iou:
            matches.append(None)
            continue
        taken.add(best)
        matches.append(best)
    return matches


def count_spotting(
    predicted: Items[Interval],
    truth: Items[Interval],
    *,
    iou: float = 0.5,
    unit: Unit = "frames",
    dummy_fp: bool = False,
) -> SpottingCounts:
    """Counts of one video.

    Arguments:
        predicted: onset and offset of each prediction.
        truth: those of each true event.
        iou: overlap from which a prediction counts.
        unit: of onsets and offsets, as `interval_iou` takes it.
        dummy_fp: count one false positive for a video without predictions, as the published tables of SoftNet and
            MEAN do; leave it off for anything but reproducing these.

    Raises:
        InputError: `iou` is no share, or an interval ends before it starts.
    """
    hits = sum(match is not None for match in match_intervals(predicted, truth, iou=iou, unit=unit))
    wrong = len(predicted) - hits + (dummy_fp and not predicted)
    return SpottingCounts(hits, wrong, len(truth) - hits)


def spotting_precision(counts: Counts) -> Scores:
    """TP / (TP + FP) of counts `(..., 3)`; 0 where there is no prediction."""
    return _ratios(counts[..., 0], counts[..., 0] + counts[..., 1])


def spotting_recall(counts: Counts) -> Scores:
    """TP / (TP + FN) of counts `(..., 3)`; 0 where there is no event."""
    return _ratios(counts[..., 0], counts[..., 0] + counts[..., 2])


def spotting_f1(counts: Counts) -> Scores:
    """2 TP / (2 TP + FP + FN) of counts `(..., 3)`; 0 where there is neither prediction nor event."""
    return _ratios(2 * counts[..., 0], 2 * counts[..., 0] + counts[..., 1] + counts[..., 2])


def apex_spotting_rate(predicted: Items[float], truth: Items[Interval]) -> float:
    """Share of the apexes that lie between onset and offset of the event at the same position; 0 where there is none.

    One prediction per true event, as where each video has one and its highest peak is taken. The ends do not count
    (ASR of MEAN, Liong et al. 2023, as its public code has it).

    Raises:
        InputError: there is not one apex per event.
    """
    if len(predicted) != len(truth):
        raise InputError(f"predicted: {len(predicted)} apexes for {len(truth)} events; give one per event")
    return _ratio(sum(start < apex < stop for apex, (start, stop) in zip(predicted, truth, strict=True)), len(truth))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _ratios(part: Counts, whole: Counts) -> Scores:
    ratios: NDArray[np.float64] = np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
    return ratios
