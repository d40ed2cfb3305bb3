"""Assigning detections to tracks at the smallest cost."""

from __future__ import annotations

import random

import pytest

from affectkit.video.assignment import assign, assign_ref

INF = float("inf")


def total(costs: list[list[float]], limit: float) -> float:
    pairs = assign(costs, limit)
    return sum(costs[row][column] for row, column in pairs) + limit * (len(costs) - len(pairs))


def test_the_best_pair_is_not_always_taken() -> None:
    assert assign([[1.0, 2.0], [1.1, 9.0]], 20.0) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("costs", [[], [[]], [[], []]])
def test_nothing_to_assign(costs: list[list[float]]) -> None:
    assert assign(costs, 1.0) == []


def test_pairs_at_the_limit_stay_alone() -> None:
    assert assign([[1.0]], 1.0) == []
    assert assign([[0.999]], 1.0) == [(0, 0)]
    assert assign([[INF, INF], [INF, 3.0]], 5.0) == [(1, 1)]


def test_an_impossible_pair_makes_room_for_another() -> None:
    assert assign([[0.0, 1.0], [0.5, INF]], 10.0) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_the_sum_is_the_smallest(rows: int, columns: int) -> None:
    draw = random.Random(rows * 10 + columns)
    for _ in range(60):
        costs = [
            [draw.choice([draw.uniform(0, 10), draw.randint(0, 4), INF]) for _ in range(columns)] for _ in range(rows)
        ]
        limit = draw.uniform(0.5, 12)
        assert total(costs, limit) == pytest.approx(assign_ref(costs, limit))


def test_each_side_is_used_once_and_rows_ascend() -> None:
    draw = random.Random(0)
    for rows, columns in ((12, 7), (7, 12), (10, 10)):
        pairs = assign([[draw.random() for _ in range(columns)] for _ in range(rows)], 5.0)
        assert len(pairs) == min(rows, columns)
        assert [row for row, _ in pairs] == sorted({row for row, _ in pairs})
        assert len({column for _, column in pairs}) == len(pairs)


def test_equal_costs_are_assigned_the_same_way_every_time() -> None:
    costs = [[1.0, 1.0, 1.0]] * 3
    assert assign(costs, 2.0) == assign(costs, 2.0) == [(0, 0), (1, 1), (2, 2)]
