"""Spotting metrics: overlap of intervals, matching, precision, recall and F1.

Intervals are pairs of frame numbers, both ends inclusive, as annotators write them. Counts of videos are summed and
scored once, as if the data set were one video (Micro-Expression Grand Challenges 2019 to 2021). Events of different
kinds are scored apart: match micro with micro, macro with macro, and add the counts for an overall score.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from affectkit.errors import InputError

Interval = tuple[float, float]


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


def interval_iou(one: Interval, two: Interval) -> float:
    """Intersection over union of two intervals of frames, both ends inclusive: (1, 10) and (1, 5) give 0.5.

    Raises:
        InputError: an interval ends before it starts.
    """
    for start, stop in (one, two):
        # `not a <= b` is true of NaN too
        if not start <= stop:
            raise InputError(f"interval ({start!r}, {stop!r}): ends before it starts; write (onset, offset)")
    common = max(0.0, min(one[1], two[1]) - max(one[0], two[0]) + 1)
    union = (one[1] - one[0] + 1) + (two[1] - two[0] + 1) - common
    return common / union


def match_intervals(predicted: Items[Interval], truth: Items[Interval], *, iou: float = 0.5) -> list[int | None]:
    """For each prediction the index of the true event that it matches, or None; one to one.

    Greedy, in the order of the predictions, as the common scoring code does it: each looks only at the true event that
    it overlaps most, and matches if the overlap is at least `iou` (equal is enough) and nobody before it took that one.

    Raises:
        InputError: `iou` is no share, or an interval ends before it starts.
    """
    if not 0 < iou <= 1:
        raise InputError(f"iou: {iou!r} is no overlap to ask for; give more than 0 and at most 1")
    taken: set[int] = set()
    matches: list[int | None] = []
    for interval in predicted:
        overlaps = [interval_iou(interval, other) for other in truth]
        best = max(range(len(truth)), key=overlaps.__getitem__, default=None)
        if best is None or best in taken or overlaps[best] < iou:
            matches.append(None)
            continue
        taken.add(best)
        matches.append(best)
    return matches


def count_spotting(
    predicted: Items[Interval], truth: Items[Interval], *, iou: float = 0.5, dummy_fp: bool = False
) -> SpottingCounts:
    """Counts of one video.

    Arguments:
        predicted: onset and offset frame of each prediction.
        truth: those of each true event.
        iou: overlap from which a prediction counts.
        dummy_fp: count one false positive for a video without predictions, as the published tables of SoftNet and
            MEAN do; leave it off for anything but reproducing these.

    Raises:
        InputError: `iou` is no share, or an interval ends before it starts.
    """
    hits = sum(match is not None for match in match_intervals(predicted, truth, iou=iou))
    wrong = len(predicted) - hits + (dummy_fp and not predicted)
    return SpottingCounts(hits, wrong, len(truth) - hits)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
