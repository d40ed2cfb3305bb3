"""Recognition metrics of the micro-expression challenges: UF1, UAR, accuracy, F1 per class, confusion matrix.

Everything is read off confusion matrices, `(..., C, C)` with truth in rows, which are pooled over folds before scores
are taken: TP_c = m_cc, FP_c = sum_i m_ic - m_cc, FN_c = sum_j m_cj - m_cc, n_c = TP_c + FN_c, with

    F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c),   UF1 = mean of F1_c,   UAR = mean of TP_c / n_c

(Micro-Expressions Grand Challenge 2019). The mean of scores per fold is another number, and depends on how the folds
were cut; it is not offered.

The number of classes is given and never guessed from the data, since a class that a fold lacks would change the mean.
What such a class counts is `absent`: nothing (`skip`), or 0 (`zero`).
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError

Absent = Literal["zero", "skip"]
Counts = NDArray[np.int64]
Scores = NDArray[np.float64]


def confusion_matrix(truth: Items[int], predicted: Items[int], classes: int) -> Counts:
    """How often each class, by row, was taken for each class, by column: `(classes, classes)`.

    Raises:
        InputError: truth and predictions differ in number, or one of them is no class.
    """
    if len(truth) != len(predicted):
        raise InputError(f"predicted: {len(predicted)} labels for {len(truth)} samples; give one per sample")
    matrix = np.zeros((classes, classes), np.int64)
    for name, labels in (("truth", truth), ("predicted", predicted)):
        for index, label in enumerate(labels):
            # `not 0 <= x` is true of NaN too
            if not 0 <= label < classes or label != int(label):
                raise InputError(f"{name}[{index}]: {label!r} is no class; give a whole number from 0 to {classes - 1}")
    np.add.at(matrix, (np.asarray(truth, np.int64), np.asarray(predicted, np.int64)), 1)
    return matrix


def group_confusions(
    truth: Items[int], predicted: Items[int], groups: Items[str], classes: int
) -> tuple[tuple[str, ...], Counts]:
    """The names of the groups, sorted, and the confusion matrix of each, `(G, classes, classes)`.

    Groups are subjects, databases, or any column by which a score is to be sliced. Their sum is the pooled matrix.

    Raises:
        InputError: as `confusion_matrix`, or there is not one group per sample.
    """
    if len(groups) != len(truth):
        raise InputError(f"groups: {len(groups)} names for {len(truth)} samples; give one per sample")
    whole = confusion_matrix(truth, predicted, classes)
    names, where = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    matrices = np.zeros((len(names), *whole.shape), np.int64)
    np.add.at(matrices, (where, np.asarray(truth, np.int64), np.asarray(predicted, np.int64)), 1)
    return tuple(map(str, names)), matrices


def f1_per_class(confusion: Counts) -> Scores:
    """F1_c, `(..., C)`; NaN for a class that is neither in the truth nor predicted."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return _ratio(2 * hits, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def recall_per_class(confusion: Counts) -> Scores:
    """TP_c / n_c, `(..., C)`; NaN for a class that is not in the truth."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1))


def uf1(confusion: Counts, *, absent: Absent = "zero") -> Scores:
    """Unweighted F1, `(...)` in [0, 1]; NaN where there is nothing to score.

    Arguments:
        confusion: pooled over folds, `(..., C, C)`.
        absent: of a class that is neither in the truth nor predicted.
    """
    return _mean(f1_per_class(confusion), absent)


def uar(confusion: Counts, *, absent: Absent = "skip") -> Scores:
    """Unweighted average recall, or balanced accuracy, `(...)` in [0, 1]; NaN where there is nothing to score.

    Arguments:
        confusion: pooled over folds, `(..., C, C)`.
        absent: of a class that is not in the truth.
    """
    return _mean(recall_per_class(confusion), absent)


def accuracy(confusion: Counts) -> Scores:
    """Share of the samples that are right, or weighted average recall, `(...)`; NaN without samples."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def _mean(scores: Scores, absent: Absent) -> Scores:
    there = ~np.isnan(scores)
    count = there.sum(axis=-1) if absent == "skip" else np.where(there.any(axis=-1), scores.shape[-1], 0)
    return _ratio(np.where(there, scores, 0.0).sum(axis=-1), count)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Scores:
    nothing = np.full(np.broadcast_shapes(np.shape(part), np.shape(whole)), np.nan)
    ratio: Scores = np.divide(part, whole, out=nothing, where=np.asarray(whole) > 0)
    return ratio
