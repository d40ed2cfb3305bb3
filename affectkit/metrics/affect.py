"""Metrics of the ABAW challenges: concordance of values, macro F1 of classes, mean F1 of units, and P, their sum.

    CCC = 2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2)        F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c)

    P = (CCC_V + CCC_A) / 2 + mean F1 of the expressions + mean F1 of the action units

CCC by Lin 1989, with population moments over all valid frames of all videos pooled; P as in the multi-task challenge of
ABAW7 (Kollias et al. 2024, arXiv 2407.03835). The mean of scores per video is another number, and is not offered.

Each score has a function of plain labels, and one of sums: per group, such as a video, sums that may be added up, and
from which the pooled score follows. Intervals are drawn from these. Symbols: x prediction, y label, m mean, s_x^2
variance, s_xy covariance, all over n; C classes, K targets, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import InputError
from affectkit.metrics.recognition import Absent, Counts, Scores, uf1

# Below this denominator a CCC is rounding noise; the loss of training has the same.
CCC_FLOOR = 1e-8


def concordance(x: ArrayLike, y: ArrayLike, valid: ArrayLike | None = None) -> Scores:
    """CCC of each target, over all valid frames pooled.

    Arguments:
        x, y: predictions and labels, `(N,)` or `(N, K)`.
        valid: bool of the same shape; None for all. Where False, neither value is looked at.

    Returns:
        `()` or `(K,)` in [-1, 1]. NaN with fewer than two valid frames: there is nothing to score. 0 where prediction
        and label are constant and equal (denominator up to 1e-8): a constant follows nothing.

    Raises:
        InputError: shapes differ, or a valid value is NaN or infinite.
    """
    one, other = np.asarray(x, np.float64), np.asarray(y, np.float64)
    counted = np.ones(other.shape, np.bool_) if valid is None else np.asarray(valid, np.bool_)
    if one.ndim not in (1, 2) or not one.shape == other.shape == counted.shape:
        shapes = f"x {one.shape}, y {other.shape}, valid {counted.shape}"
        raise InputError(f"concordance: {shapes}; give all as (N,) or (N, K)")
    n = counted.sum(axis=0)
    d_x, d_y, m_x, m_y = _centered(one, other, counted, n)
    return _ratio_of(n, (d_x * d_y).sum(axis=0), (d_x**2 + d_y**2).sum(axis=0), m_x - m_y)


def concordance_sums(x: ArrayLike, y: ArrayLike, valid: ArrayLike, groups: Items[str]) -> NDArray[np.float64]:
    """What the CCC of pooled groups follows from: n and the sums of x, y, x^2, y^2 and x y, `(G, K, 6)`.

    Groups are sorted by name. Values are `(N, K)`; those of bounded targets, or else the sums lose digits.

    Raises:
        InputError: as `concordance`, or there is not one group per frame.
    """
    one, other, counted = np.asarray(x, np.float64), np.asarray(y, np.float64), np.asarray(valid, np.bool_)
    if one.ndim != 2 or not one.shape == other.shape == counted.shape or len(groups) != len(one):
        shapes = f"x {one.shape}, y {other.shape}, valid {counted.shape}, {len(groups)} groups"
        raise InputError(f"concordance: {shapes}; give (N, K), and a group per frame")
    kept_x, kept_y = _kept(one, counted), _kept(other, counted)
    names, where = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    sums = np.zeros((len(names), one.shape[1], 6))
    each = np.stack([counted, kept_x, kept_y, kept_x**2, kept_y**2, kept_x * kept_y], axis=-1)
    np.add.at(sums, where, each)
    return sums


def concordance_of(sums: NDArray[Any]) -> Scores:
    """CCC of sums `(..., 6)`, as `concordance` has it of values."""
    n, s_x, s_y, s_xx, s_yy, s_xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    count = np.maximum(n, 1)
    m_x, m_y = s_x / count, s_y / count
    spread = s_xx - s_x * m_x + s_yy - s_y * m_y
    return _ratio_of(n, s_xy - s_x * m_y, spread, m_x - m_y)


def macro_f1(
    truth: ArrayLike, predicted: ArrayLike, classes: int, valid: ArrayLike | None = None, *, absent: Absent = "zero"
) -> float:
    """Mean F1 over all `classes`, over all valid frames pooled; NaN where no frame is valid.

    Arguments:
        truth, predicted: class numbers, `(N,)`.
        classes: how many there are, whether or not a frame shows them.
        valid: bool, `(N,)`; None for all.
        absent: what a class counts that is neither true nor predicted of any frame: 0, as in the challenge's own
            script and in scikit-learn with all labels named, or nothing (`skip`).

    Raises:
        InputError: truth and predictions differ in number, or a valid one is no class.
    """
    counted = np.ones(np.shape(truth), np.bool_) if valid is None else np.asarray(valid, np.bool_)
    confusion = class_counts(truth, predicted, counted, [""] * len(counted), classes).sum(axis=0)
    return float(uf1(confusion, absent=absent)) if len(counted) else float("nan")


def class_counts(truth: ArrayLike, predicted: ArrayLike, valid: ArrayLike, groups: Items[str], classes: int) -> Counts:
    """The confusion matrix of every group, `(G, classes, classes)` with truth in rows; groups by name.

    Arguments:
        truth, predicted: class numbers, `(N,)`; where not valid, not looked at.
        valid: bool, `(N,)`.
        groups: one per frame.
        classes: how many there are.

    Raises:
        InputError: there is not one of each per frame, or a valid one is no class.
    """
    y, x, counted = np.asarray(truth), np.asarray(predicted), np.asarray(valid, np.bool_)
    if y.ndim != 1 or not y.shape == x.shape == counted.shape or len(groups) != len(y):
        shapes = f"truth {y.shape}, predicted {x.shape}, valid {counted.shape}, {len(groups)} groups"
        raise InputError(f"classes: {shapes}; give (N,), and a group per frame")
    for name, labels in (("truth", y), ("predicted", x)):
        wrong = labels[counted & ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))]
        if wrong.size:
            raise InputError(f"{name}: {wrong[0]} is no class; give a whole number from 0 to {classes - 1}")
    names, where = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    matrices = np.zeros((len(names), classes, classes), np.int64)
    np.add.at(matrices, (where[counted], y[counted].astype(np.int64), x[counted].astype(np.int64)), 1)
    return matrices


def unit_counts(truth: ArrayLike, predicted: ArrayLike, valid: ArrayLike, groups: Items[str]) -> Counts:
    """Of every group and unit true positives, false positives, false negatives and valid frames, `(G, K, 4)`.

    Groups are sorted by name.

    Arguments:
        truth, predicted: bool, or 0 and 1, `(N, K)`; where not valid, not looked at.
        valid: bool, `(N, K)`.
        groups: one per frame.

    Raises:
        InputError: shapes differ, there is not one group per frame, or a valid value is neither 0 nor 1.
    """
    y, x, counted = np.asarray(truth), np.asarray(predicted), np.asarray(valid, np.bool_)
    if y.ndim != 2 or not y.shape == x.shape == counted.shape or len(groups) != len(y):
        shapes = f"truth {y.shape}, predicted {x.shape}, valid {counted.shape}, {len(groups)} groups"
        raise InputError(f"units: {shapes}; give (N, K), and a group per frame")
    y, x = _flags("truth", y, counted), _flags("predicted", x, counted)
    names, where = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    counts = np.zeros((len(names), y.shape[1], 4), np.int64)
    np.add.at(counts, where, np.stack([y & x, ~y & x & counted, y & ~x & counted, counted], axis=-1))
    return counts


def unit_f1(counts: NDArray[Any]) -> Scores:
    """F1 of units with counts `(..., K, 4)`; NaN for a unit that is neither true nor predicted of any frame."""
    hits, false, missed, _ = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    whole = 2 * hits + false + missed
    scores: Scores = np.divide(2 * hits, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return scores


def mean_unit_f1(counts: NDArray[Any], absent: Absent = "zero") -> Scores:
    """Mean F1 of units with counts `(..., K, 4)`; NaN where none of them has a valid frame. `absent` as in `au_f1`."""
    mean: Scores = np.where(np.any(counts[..., 3] > 0, axis=-1), mean_f1(unit_f1(counts), absent), np.nan)
    return mean


def au_f1(truth: ArrayLike, predicted: ArrayLike, valid: ArrayLike | None = None, *, absent: Absent = "zero") -> float:
    """Mean F1 over the units of `(N, K)` bool, each over its own valid frames; NaN where nothing is valid.

    `absent` is what a unit counts that is neither true nor predicted of any frame, as in `macro_f1`.

    Raises:
        InputError: shapes differ, or a valid value is neither 0 nor 1.
    """
    counted = np.ones(np.shape(truth), np.bool_) if valid is None else np.asarray(valid, np.bool_)
    return float(mean_unit_f1(unit_counts(truth, predicted, counted, [""] * len(counted)).sum(axis=0), absent))


def mean_f1(scores: NDArray[Any], absent: Absent = "zero") -> Scores:
    """Mean over the last axis, in which NaN counts 0 (`zero`) or nothing (`skip`; NaN where all are)."""
    there = ~np.isnan(scores)
    number = there.sum(axis=-1) if absent == "skip" else np.full(scores.shape[:-1], scores.shape[-1])
    total = np.where(there, scores, 0.0).sum(axis=-1)
    mean: Scores = np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)
    return mean


def score_mtl(concordances: ArrayLike, expression_f1: ArrayLike, unit_f1: ArrayLike) -> Scores:
    """P: the mean of the concordances `(..., 2)` of valence and arousal, plus the two mean F1 `(...)`; at most 3."""
    total: Scores = np.asarray(concordances, np.float64).mean(axis=-1) + np.asarray(expression_f1) + np.asarray(unit_f1)
    return total


def _flags(name: str, values: NDArray[Any], counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """As bool, False where not valid: what stands there may be a sentinel."""
    wrong = values[counted & ~((values == 0) | (values == 1))]
    if wrong.size:
        raise InputError(f"{name}: {wrong[0]} says neither that a unit is there nor that it is not; give 0 or 1")
    found: NDArray[np.bool_] = counted & (values == 1)
    return found


def _kept(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """With zeros where not valid: what stands there may be NaN."""
    if not np.isfinite(values[counted]).all():
        raise InputError("concordance: a valid value is NaN or infinite; mark it not valid, or mend it")
    return np.where(counted, values, 0.0)


def _centered(
    x: NDArray[np.float64], y: NDArray[np.float64], counted: NDArray[np.bool_], n: NDArray[np.int64]
) -> tuple[NDArray[np.float64], ...]:
    """Deviations from the means, 0 where not valid, and the means."""
    found = []
    for values in (_kept(x, counted), _kept(y, counted)):
        mean = values.sum(axis=0) / np.maximum(n, 1)
        found.append((np.where(counted, values - mean, 0.0), mean))
    (d_x, m_x), (d_y, m_y) = found
    return d_x, d_y, m_x, m_y


def _ratio_of(n: NDArray[Any], s_xy: NDArray[Any], spread: NDArray[Any], apart: NDArray[Any]) -> Scores:
    """CCC of the sums over n of d_x d_y and of d_x^2 + d_y^2, and the difference of the means."""
    count = np.maximum(n, 1)
    denominator = spread / count + apart**2
    is_defined = denominator > CCC_FLOOR
    ratio = np.where(is_defined, 2 * s_xy / count, 0.0) / np.where(is_defined, denominator, 1.0)
    return np.where(n >= 2, ratio, np.nan)
