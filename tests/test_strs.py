"""The spot-then-recognize score: golden numbers, what is absent, and the slow way."""

from __future__ import annotations

import numpy as np
import pytest

from affectkit.metrics.recognition import Counts, uf1
from affectkit.metrics.strs import analysis_f1, analysis_precision, analysis_recall, strs


def confusion(pairs: list[tuple[int, int]], classes: int = 3) -> Counts:
    matrix = np.zeros((classes, classes + 1), np.int64)
    np.add.at(matrix, tuple(zip(*pairs, strict=True)), 1)
    return matrix


# Six true positives, all taken for the first class; three, of which one is named rightly and two are not named.
SAMM = confusion([(0, 0)] * 3 + [(1, 0)] * 2 + [(2, 0)])
CASME = confusion([(0, 0), (0, 3), (1, 3)])


@pytest.mark.parametrize(
    ("counts", "matrix", "precision", "recall", "spotted", "product"),
    [
        ((6, 217, 202), SAMM, 0.1667, 0.3333, 0.0278, 0.0062),
        ((3, 115, 34), CASME, 0.3333, 0.1667, 0.0387, 0.0086),
    ],
)
def test_published_counts_give_the_published_score(
    counts: tuple[int, int, int], matrix: Counts, precision: float, recall: float, spotted: float, product: float
) -> None:
    assert (float(analysis_precision(matrix)), float(analysis_recall(matrix))) == pytest.approx(
        (precision, recall), abs=5e-5
    )
    assert float(analysis_f1(matrix)) == pytest.approx(0.2222, abs=5e-5)
    assert float(strs(np.array(counts), matrix)) == pytest.approx(product, abs=5e-5)
    assert float(strs(np.array(counts), matrix)) == pytest.approx(spotted * 0.2222, abs=5e-5)


def test_it_is_not_the_mean_of_f1_per_class() -> None:
    # of the golden ones both are 0.2222
    matrix = confusion([(0, 0), (0, 0), (1, 1), (1, 2), (1, 2), (2, 2)])
    assert float(analysis_f1(matrix)) == pytest.approx(7 / 9)
    assert float(uf1(matrix[:, :3])) == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)


def test_no_true_positive_scores_zero() -> None:
    nothing = np.zeros((3, 4), np.int64)
    assert [float(score(nothing)) for score in (analysis_precision, analysis_recall, analysis_f1)] == [0, 0, 0]
    assert float(strs(np.array([0, 5, 4]), nothing)) == 0
    assert float(strs(np.array([0, 0, 0]), nothing)) == 0


def test_an_absent_class_counts_zero_in_the_mean() -> None:
    matrix = confusion([(0, 0), (1, 1)])
    assert float(analysis_precision(matrix)) == float(analysis_recall(matrix)) == pytest.approx(2 / 3)


def test_arrays_are_scored_as_lists_of_labels_are() -> None:
    rng = np.random.default_rng(0)
    matrices = []
    slow = []
    for _ in range(50):
        size = rng.integers(1, 6)
        pairs = list(zip(rng.integers(3, size=size).tolist(), rng.integers(4, size=size).tolist(), strict=True))
        matrices.append(confusion(pairs))
        slow.append(analysis_f1_ref(pairs))
    assert analysis_f1(np.stack(matrices)) == pytest.approx(slow)
    assert 0 in slow


def analysis_f1_ref(pairs: list[tuple[int, int]]) -> float:
    precision = recall = 0.0
    for name in range(3):
        hits = pairs.count((name, name))
        taken = [truth for truth, found in pairs if found == name]
        there = [found for truth, found in pairs if truth == name]
        precision += hits / len(taken) / 3 if taken else 0
        recall += hits / len(there) / 3 if there else 0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0
