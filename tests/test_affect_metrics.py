"""Metrics of affect: by hand, against slow twins, scikit-learn and torchmetrics, and where they are not defined."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from affectkit import InputError
from affectkit.heads import losses
from affectkit.metrics.affect import (
    au_f1,
    concordance,
    concordance_of,
    concordance_sums,
    macro_f1,
    mean_f1,
    mean_unit_f1,
    score_mtl,
    unit_counts,
    unit_f1,
)
from affectkit.torchvision_repair import repair_torchvision

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (60, 2)), RNG.uniform(-1, 1, (60, 2))
X[:, 0] = 0.7 * Y[:, 0] + 0.1 * X[:, 0] + 0.1
VALID = RNG.random((60, 2)) < 0.7
GROUPS = [f"video {row // 10}" for row in range(60)]


def concordance_ref(x: Any, y: Any, valid: Any) -> list[float]:
    """Slow twin: the definition, target by target, in plain numbers."""
    found = []
    for target in range(x.shape[1]):
        pairs = [
            (float(a), float(b)) for a, b, v in zip(x[:, target], y[:, target], valid[:, target], strict=True) if v
        ]
        n = len(pairs)
        m_x, m_y = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
        s_xy = sum((a - m_x) * (b - m_y) for a, b in pairs) / n
        s_x, s_y = sum((a - m_x) ** 2 for a, _ in pairs) / n, sum((b - m_y) ** 2 for _, b in pairs) / n
        found.append(2 * s_xy / (s_x + s_y + (m_x - m_y) ** 2))
    return found


def f1_ref(truth: list[bool], found: list[bool]) -> float:
    """Slow twin: by precision and recall; 0 where there is nothing."""
    hits = sum(a and b for a, b in zip(truth, found, strict=True))
    if not hits:
        return 0.0
    precision, recall = hits / sum(found), hits / sum(truth)
    return 2 * precision * recall / (precision + recall)


def test_concordance_is_the_definition() -> None:
    expected = concordance_ref(X, Y, VALID)
    assert concordance(X, Y, VALID) == pytest.approx(expected)
    assert concordance(X[VALID[:, 0], 0], Y[VALID[:, 0], 0]) == pytest.approx(expected[0])
    assert expected[0] > 0.8


def test_what_is_not_valid_is_not_looked_at() -> None:
    noise = np.where(VALID, X, np.nan), np.where(VALID, Y, -5)
    assert np.array_equal(concordance(*noise, VALID), concordance(X, Y, VALID))
    assert np.array_equal(concordance_sums(*noise, VALID, GROUPS), concordance_sums(X, Y, VALID, GROUPS))


def test_concordance_is_that_of_the_loss() -> None:
    one = losses.concordance(*(torch.from_numpy(part) for part in (X, Y, VALID)))
    assert concordance(X, Y, VALID) == pytest.approx(one.numpy(), abs=1e-12)


def test_concordance_of_torchmetrics() -> None:
    repair_torchvision()
    torchmetrics = pytest.importorskip("torchmetrics")
    found = torchmetrics.functional.concordance_corrcoef(torch.from_numpy(X), torch.from_numpy(Y))
    # it has sample variances, n - 1, in place of population moments: another number
    sample = concordance(X, Y)
    n = len(X)
    s_xy = ((X - X.mean(0)) * (Y - Y.mean(0))).sum(0) / (n - 1)
    spread = X.var(0, ddof=1) + Y.var(0, ddof=1) + (X.mean(0) - Y.mean(0)) ** 2
    assert found.numpy() == pytest.approx(2 * s_xy / spread, abs=1e-9)
    assert found.numpy() == pytest.approx(sample, abs=2 / n)


def test_sums_of_groups_add_up() -> None:
    sums = concordance_sums(X, Y, VALID, GROUPS)
    assert sums.shape == (6, 2, 6)
    assert concordance_of(sums.sum(axis=0)) == pytest.approx(concordance(X, Y, VALID))
    first = slice(0, 10)
    assert concordance_of(sums[0]) == pytest.approx(concordance(X[first], Y[first], VALID[first]))


def test_where_concordance_is_not_defined() -> None:
    assert math.isnan(concordance([0.5], [0.5]))
    assert math.isnan(concordance([0.5, 0.1], [0.5, 0.2], [True, False]))
    assert np.isnan(concordance(np.zeros((0, 2)), np.zeros((0, 2)))).all()
    assert concordance([0.5, 0.5], [0.5, 0.5]) == 0
    assert concordance([0.5, 0.5], [0.1, 0.9]) == 0
    assert concordance([0.1, 0.9], [0.1, 0.9]) == pytest.approx(1)
    assert concordance([0.9, 0.1], [0.1, 0.9]) == pytest.approx(-1)
    for pairs in ([[0.5]], [[0.5], [0.5]], [[0.1], [0.9]]):
        one = np.array(pairs)
        sums = concordance_sums(one, one, np.ones_like(one), ["a"] * len(one))[0]
        assert concordance_of(sums) == pytest.approx(concordance(one, one), nan_ok=True)


def test_macro_f1() -> None:
    truth, found = RNG.integers(0, 8, 200), RNG.integers(0, 8, 200)
    valid = RNG.random(200) < 0.6
    expected = np.mean([f1_ref((truth[valid] == c).tolist(), (found[valid] == c).tolist()) for c in range(8)])
    assert macro_f1(truth, found, 8, valid) == pytest.approx(expected)
    sentinel = np.where(valid, truth, -1)
    assert macro_f1(sentinel, found, 8, valid) == pytest.approx(expected)


def test_a_class_that_is_absent() -> None:
    truth, found = [0, 0, 1], [0, 0, 1]
    assert macro_f1(truth, found, 3) == pytest.approx(2 / 3)
    assert macro_f1(truth, found, 3, absent="skip") == 1
    # predicted, though never true: it counts 0 either way
    assert macro_f1([0, 0], [0, 2], 3, absent="skip") == pytest.approx((2 / 3 + 0) / 2)
    assert math.isnan(macro_f1([0], [0], 3, [False]))
    assert math.isnan(macro_f1([], [], 3))


def test_f1_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, found = RNG.integers(0, 7, 100), RNG.integers(0, 7, 100)
    expected = metrics.f1_score(truth, found, labels=range(8), average="macro", zero_division=0)
    assert macro_f1(truth, found, 8) == pytest.approx(expected)
    y, x = RNG.random((100, 3)) < 0.3, RNG.random((100, 3)) < 0.4
    assert au_f1(y, x) == pytest.approx(metrics.f1_score(y, x, average="macro", zero_division=0))


def test_au_f1() -> None:
    y, x, valid = RNG.random((80, 4)) < 0.3, RNG.random((80, 4)) < 0.4, RNG.random((80, 4)) < 0.6
    expected = [f1_ref(y[valid[:, k], k].tolist(), x[valid[:, k], k].tolist()) for k in range(4)]
    counts = unit_counts(y, x, valid, [str(row % 3) for row in range(80)])
    assert counts.shape == (3, 4, 4)
    assert counts[..., 3].sum(axis=0).tolist() == valid.sum(axis=0).tolist()
    assert unit_f1(counts.sum(axis=0)) == pytest.approx(expected)
    assert au_f1(y, x, valid) == pytest.approx(np.mean(expected))


def test_a_unit_that_is_absent() -> None:
    y = np.array([[True, False], [True, False]])
    assert au_f1(y, y) == 0.5
    assert au_f1(y, y, absent="skip") == 1
    assert math.isnan(au_f1(y, y, np.zeros((2, 2), np.bool_)))
    assert math.isnan(float(mean_f1(np.array([np.nan, np.nan]), "skip")))


def test_units_without_a_label_have_no_mean() -> None:
    y = np.array([[True, False], [False, False]])
    counts = unit_counts(y, y, [[True, True], [False, False]], ["a", "b"])
    assert mean_unit_f1(counts).tolist() == [0.5, pytest.approx(math.nan, nan_ok=True)]
    assert mean_unit_f1(counts, "skip").tolist() == [1.0, pytest.approx(math.nan, nan_ok=True)]


def test_marks_of_missing_labels_are_not_looked_at() -> None:
    y, x = np.array([[-1.0], [1.0], [0.0]]), np.array([[1], [1], [1]])
    assert au_f1(y, x, y >= 0) == pytest.approx(2 / 3)


def test_p_is_the_sum() -> None:
    assert float(score_mtl([0.4, 0.6], 0.3, 0.5)) == pytest.approx(1.3)
    assert score_mtl(np.array([[0.4, 0.6], [0.0, 1.0]]), [0.3, 0.2], [0.5, 0.1]) == pytest.approx([1.3, 0.8])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: concordance([0.1, 0.2], [0.1]),
            "concordance: x (2,), y (1,), valid (1,); give all as (N,) or (N, K)",
        ),
        (
            lambda: concordance([0.1, np.nan], [0.1, 0.2]),
            "concordance: a valid value is NaN or infinite; mark it not valid, or mend it",
        ),
        (
            lambda: concordance_sums(X, Y, VALID, GROUPS[1:]),
            "concordance: x (60, 2), y (60, 2), valid (60, 2), 59 groups; give (N, K), and a group per frame",
        ),
        (
            lambda: macro_f1([0, 1], [0], 2),
            "classes: truth (2,), predicted (1,), valid (2,), 2 groups; give (N,), and a group per frame",
        ),
        (lambda: macro_f1([0, 2], [0, 1], 2), "truth: 2 is no class; give a whole number from 0 to 1"),
        (lambda: macro_f1([0, 1], [0, -1], 2), "predicted: -1 is no class; give a whole number from 0 to 1"),
        (
            lambda: au_f1([[True]], [[True, False]]),
            "units: truth (1, 1), predicted (1, 2), valid (1, 1), 1 groups; give (N, K), and a group per frame",
        ),
        (
            lambda: au_f1([[0], [1]], [[0.25], [0.75]]),
            "predicted: 0.25 says neither that a unit is there nor that it is not; give 0 or 1",
        ),
        (
            lambda: au_f1([[-1], [1]], [[0], [1]]),
            "truth: -1 says neither that a unit is there nor that it is not; give 0 or 1",
        ),
    ],
)
def test_what_can_not_be_scored(call: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value) == message
