"""Recognition scores against numbers worked out by hand, and what the wrong ways of pooling would give."""

from __future__ import annotations

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import (
    accuracy,
    confusion_matrix,
    f1_per_class,
    group_confusions,
    recall_per_class,
    uar,
    uf1,
)

# Three folds of one subject each.
TRUTH = [0, 0, 0, 1, 0, 2, 1, 1, 0]
PREDICTED = [0, 0, 1, 1, 2, 2, 1, 0, 0]
SUBJECTS = ["a", "a", "a", "a", "b", "b", "c", "c", "c"]


def test_scores_are_pooled_over_folds() -> None:
    names, folds = group_confusions(TRUTH, PREDICTED, SUBJECTS, 3)
    assert names == ("a", "b", "c")
    pooled = confusion_matrix(TRUTH, PREDICTED, 3)
    assert (folds.sum(axis=0) == pooled).all()
    assert pooled.tolist() == [[3, 1, 1], [1, 2, 0], [0, 0, 1]]
    assert f1_per_class(pooled) == pytest.approx([2 / 3] * 3)
    assert recall_per_class(pooled) == pytest.approx([0.6, 2 / 3, 1.0])
    assert uf1(pooled) == pytest.approx(2 / 3)
    assert uar(pooled) == pytest.approx(0.755556, abs=1e-6)
    assert accuracy(pooled) == pytest.approx(6 / 9)
    # what means over folds would come to
    assert uf1(folds).mean() == pytest.approx(0.385185, abs=1e-6)
    assert uf1(folds, absent="skip").mean() == pytest.approx(0.577778, abs=1e-6)
    assert uar(folds).mean() == pytest.approx(0.694444, abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted", "scores"),
    [
        # class 2 is nowhere
        ([0, 0, 1, 1], [0, 1, 1, 1], (0.488889, 0.733333, 0.5, 0.75)),
        # class 2 is predicted, and never true
        ([0, 0, 1, 1], [0, 2, 1, 1], (0.555556, 0.555556, 0.5, 0.75)),
        # class 2 is true, and never predicted
        ([0, 1, 2, 2], [0, 1, 1, 1], (0.5, 0.5, 2 / 3, 2 / 3)),
        # one class alone
        ([0, 0], [0, 0], (1 / 3, 1.0, 1 / 3, 1.0)),
    ],
)
def test_classes_that_are_absent(truth: list[int], predicted: list[int], scores: tuple[float, ...]) -> None:
    matrix = confusion_matrix(truth, predicted, 3)
    found = (uf1(matrix), uf1(matrix, absent="skip"), uar(matrix, absent="zero"), uar(matrix))
    assert found == pytest.approx(scores, abs=1e-6)


def test_nothing_to_score_is_nan() -> None:
    empty = confusion_matrix([], [], 3)
    assert np.isnan(
        [uf1(empty), uf1(empty, absent="skip"), uar(empty), uar(empty, absent="zero"), accuracy(empty)]
    ).all()


@pytest.mark.parametrize(
    ("truth", "predicted", "text"),
    [
        ([0, 1], [0], "predicted: 1 labels for 2 samples; give one per sample"),
        ([0, 3], [0, 1], "truth[1]: 3 is no class; give a whole number from 0 to 2"),
        ([0, 1], [-1, 1], "predicted[0]: -1 is no class; give a whole number from 0 to 2"),
    ],
)
def test_labels_that_are_refused(truth: list[int], predicted: list[int], text: str) -> None:
    with pytest.raises(InputError) as caught:
        confusion_matrix(truth, predicted, 3)
    assert str(caught.value) == text


def test_one_group_per_sample() -> None:
    with pytest.raises(InputError) as caught:
        group_confusions([0, 1], [0, 1], ["a"], 3)
    assert str(caught.value) == "groups: 1 names for 2 samples; give one per sample"


def subjects(rng: np.random.Generator, right: float, number: int = 30) -> tuple[list[int], list[int], list[str]]:
    """Truth, predictions of which a share is right, and subjects, ten samples each."""
    truth = rng.integers(3, size=10 * number)
    wrong = (truth + rng.integers(1, 3, size=len(truth))) % 3
    predicted = np.where(rng.random(len(truth)) < right, truth, wrong)
    return truth.tolist(), predicted.tolist(), [f"s{index // 10:02d}" for index in range(len(truth))]


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        truth, predicted, names = subjects(rng, 0.7)
        found = bootstrap_score(group_confusions(truth, predicted, names, 3)[1], accuracy, level=0.9, replicates=300)
        inside += found.low <= 0.7 <= found.high
    # 0.9 within three standard errors, and the few subjects
    assert 0.82 <= inside / 200 <= 0.96


def test_a_resampled_score_is_that_of_the_subjects_drawn() -> None:
    matrices = group_confusions(TRUTH, PREDICTED, SUBJECTS, 3)[1]
    found = bootstrap_score(matrices, uf1, level=0.5, replicates=400, seed=3)
    rng = np.random.default_rng(3)
    times = rng.multinomial(3, [1 / 3] * 3, size=400)
    slow = [float(uf1(sum(count * matrix for count, matrix in zip(row, matrices, strict=True)))) for row in times]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.25, 0.75])))
    assert found.value == pytest.approx(2 / 3)
    assert str(found) == f"0.667 [{found.low:.3f}, {found.high:.3f}]"


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_draws_without_a_score_are_counted_and_few_of_them_left_out(lacking: int) -> None:
    matrices = np.zeros((4, 2, 2), np.int64)
    matrices[lacking:, 0] = [[3, 1]] * (4 - lacking)
    matrices[lacking:, 1, 1] = np.arange(4 - lacking)
    found = bootstrap_score(matrices, accuracy, replicates=2000)
    times = np.random.default_rng(0).multinomial(4, np.full(4, 1 / 4), size=2000)
    slow = accuracy(np.einsum("bs,scd->bcd", times, matrices))
    assert found.undefined == np.isnan(slow).mean()
    assert found.value == accuracy(matrices.sum(axis=0))
    assert found.undefined == pytest.approx((lacking / 4) ** 4, abs=0.02)
    said = f"{100 * found.undefined:.2g} % of the draws, in which there is nothing to score"
    if lacking == 1:
        assert (found.low, found.high) == tuple(np.nanquantile(slow, [0.025, 0.975]))
        assert found.remark == f"without {said}"
        assert str(found) == f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}] (without {said})"
    else:
        assert np.isnan([found.low, found.high]).all()
        assert found.remark == f"no interval, because of {said}"
        assert str(found) == f"{found.value:.3f} (no interval, because of {said})"
    nothing = bootstrap_score(np.zeros((3, 2, 2), np.int64), accuracy, replicates=10)
    assert (nothing.undefined, nothing.remark, str(nothing)) == (1.0, "", "nan")


def test_a_paired_difference_is_surer_than_two_scores() -> None:
    rng = np.random.default_rng(1)
    truth, good, names = subjects(rng, 0.8)
    # the other one is wrong on the same samples, and on a few more
    worse = [(label + 1) % 3 if rng.random() < 0.05 else guess for label, guess in zip(truth, good, strict=True)]
    ours, theirs = (group_confusions(truth, guess, names, 3)[1] for guess in (good, worse))
    difference = bootstrap_difference(np.stack([ours, ours]), theirs, uf1)
    assert isinstance(difference, Interval)
    assert (difference.seeds, difference.subjects) == (2, 30)
    assert 0 < difference.low < difference.value < difference.high
    alone = bootstrap_score(ours, uf1)
    assert difference.high - difference.low < 0.6 * (alone.high - alone.low)


def test_what_can_not_be_compared() -> None:
    matrices = group_confusions(TRUTH, PREDICTED, SUBJECTS, 3)[1]

    def message(*arguments: object, **options: object) -> str:
        call = bootstrap_difference if len(arguments) == 3 else bootstrap_score
        with pytest.raises(InputError) as caught:
            call(*arguments, **options)  # type: ignore[arg-type]
        return str(caught.value)

    assert message(matrices, matrices[::-1], uf1) == (
        "theirs: other subjects or samples than in `ours`; a paired test needs both systems on the same ones"
    )
    assert message(matrices[:1], uf1) == "counts: 1 subject; an interval over subjects needs at least 2"
    assert message(matrices[0], uf1) == (
        "counts: shape (3, 3); give (subjects, rows, columns) or (seeds, subjects, rows, columns)"
    )
    assert message(matrices, uf1, level=1.0) == "level: 1.0 is no share; give more than 0 and less than 1"
    assert message(matrices, uf1, replicates=0) == "replicates: 0 is too few; give 1 or more"
