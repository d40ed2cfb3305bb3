"""Spotting metrics: overlaps, matching, counts and scores, with the golden numbers of the published protocols."""

from __future__ import annotations

import math

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.metrics.spotting import (
    Interval,
    SpottingCounts,
    apex_spotting_rate,
    count_spotting,
    interval_iou,
    match_intervals,
    spotting_f1,
    spotting_precision,
    spotting_recall,
)


@pytest.mark.parametrize(
    ("one", "two", "iou"),
    [
        ((1, 10), (1, 5), 0.5),
        ((10, 20), (15, 25), 0.375),
        ((10, 20), (20, 30), 1 / 21),
        ((10, 20), (21, 30), 0.0),
        ((0, 0), (0, 0), 1.0),
        ((12, 31), (10, 29), 18 / 22),
    ],
)
def test_overlap_counts_both_ends(one: Interval, two: Interval, iou: float) -> None:
    assert interval_iou(one, two) == pytest.approx(iou)
    assert interval_iou(two, one) == pytest.approx(iou)


@pytest.mark.parametrize(
    ("one", "two", "iou"),
    [
        ((1.0, 2.0), (1.0, 1.5), 0.5),
        ((0.0, 1.0), (1.0, 2.0), 0.0),
        ((0.0, 1.0), (0.5, 1.5), 1 / 3),
        ((1.5, 1.5), (1.0, 2.0), 0.0),
        ((1.5, 1.5), (1.5, 1.5), 1.0),
        ((1.5, 1.5), (1.6, 1.6), 0.0),
    ],
)
def test_overlap_in_seconds_counts_no_end(one: Interval, two: Interval, iou: float) -> None:
    assert interval_iou(one, two, unit="seconds") == pytest.approx(iou)
    assert interval_iou(two, one, unit="seconds") == pytest.approx(iou)
    hits = int(iou >= 0.5)
    assert count_spotting([one], [two], unit="seconds") == SpottingCounts(hits, 1 - hits, 1 - hits)


def test_two_videos_are_scored_as_one() -> None:
    first = count_spotting([(12, 31), (55, 80), (100, 110)], [(10, 29), (50, 69)])
    second = count_spotting([(5, 9)], [])
    assert first == SpottingCounts(1, 2, 1)
    assert second == SpottingCounts(0, 1, 0)
    both = first + second
    assert both == SpottingCounts(1, 3, 1)
    assert (both.precision, both.recall) == (0.25, 0.5)
    assert both.f1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("predicted", "hits", "labels", "f1"),
    [
        (5035, 21, 57, 0.00824823),
        (1523, 109, 300, 0.11958310),
        (6558, 130, 357, 0.03759942),
        (1436, 29, 159, 0.03636364),
        (356, 22, 343, 0.06294707),
        (1792, 51, 502, 0.04446382),
    ],
)
def test_published_counts_give_the_published_f1(predicted: int, hits: int, labels: int, f1: float) -> None:
    assert SpottingCounts(hits, predicted - hits, labels - hits).f1 == pytest.approx(f1, abs=5e-9)


def test_an_overlap_of_exactly_the_bar_counts() -> None:
    assert match_intervals([(1, 5)], [(1, 10)]) == [0]
    assert match_intervals([(1, 5)], [(1, 10)], iou=0.51) == [None]


def test_an_event_is_matched_once_and_by_the_first() -> None:
    assert match_intervals([(0, 9), (0, 10), (30, 41)], [(0, 10), (30, 40)]) == [0, None, 1]
    assert count_spotting([(0, 9), (0, 10)], [(0, 10)]) == SpottingCounts(1, 1, 0)


def test_a_prediction_looks_only_at_its_best_event() -> None:
    # the second prediction overlaps (4, 13) by 7/10 and (0, 9) by 3/7 only; both want the same event
    assert match_intervals([(4, 13), (5, 12)], [(4, 13), (0, 9)]) == [0, None]


def test_nothing_predicted_is_no_false_positive_unless_asked_for() -> None:
    assert count_spotting([], [(0, 5)]) == SpottingCounts(0, 0, 1)
    assert count_spotting([], [(0, 5)], dummy_fp=True) == SpottingCounts(0, 1, 1)
    assert count_spotting([(0, 5)], [(0, 5)], dummy_fp=True) == SpottingCounts(1, 0, 0)


def test_empty_counts_score_zero() -> None:
    nothing = sum([], SpottingCounts())
    assert (nothing.precision, nothing.recall, nothing.f1) == (0.0, 0.0, 0.0)


def test_arrays_of_counts_are_scored_as_counts_are() -> None:
    drawn = np.random.default_rng(0).integers(4, size=(5, 7, 3))
    for counts in drawn.reshape(-1, 3):
        one = SpottingCounts(*map(int, counts))
        scores = spotting_precision(counts), spotting_recall(counts), spotting_f1(counts)
        assert scores == pytest.approx((one.precision, one.recall, one.f1))
    assert spotting_f1(drawn).shape == (5, 7)
    assert (drawn.sum(axis=-1) == 0).any()


def test_an_apex_is_spotted_within_the_event() -> None:
    # the ends do not count
    assert apex_spotting_rate([11, 10, 20, 25], [(10, 20)] * 4) == 0.25
    assert apex_spotting_rate([], []) == 0
    with pytest.raises(InputError) as caught:
        apex_spotting_rate([1], [])
    assert str(caught.value) == "predicted: 1 apexes for 0 events; give one per event"


@pytest.mark.parametrize("stop", [4, math.nan])
def test_an_interval_that_ends_before_it_starts_is_refused(stop: float) -> None:
    with pytest.raises(InputError) as caught:
        interval_iou((0, 9), (5, stop))
    assert str(caught.value) == f"interval (5, {stop!r}): ends before it starts; write (onset, offset)"


@pytest.mark.parametrize("iou", [0.0, 1.5, math.nan])
def test_an_overlap_that_is_none_is_refused(iou: float) -> None:
    with pytest.raises(InputError) as caught:
        match_intervals([(0, 9)], [(0, 9)], iou=iou)
    assert str(caught.value) == f"iou: {iou!r} is no overlap to ask for; give more than 0 and at most 1"
