"""Thresholds of labels of which any may be present, each where its own F1 is highest.

    F1_k(c) = 2 TP / (TP + FP + P)        present where score >= c        P = positive labels of target k

Between two scores that follow one another F1 is the same, so one cut each is all there is to try: sorted, with running
counts, in O(N log N). What is chosen is fitted to the labels that it was chosen by, and its F1 there is optimistic:
give the part that is for choosing, and score another.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import DataWarning, InputError, listed

Flags = NDArray[np.bool_]


def fit_thresholds(
    scores: ArrayLike, labels: ArrayLike, valid: ArrayLike, *, names: Sequence[str] | None = None
) -> NDArray[np.float32]:
    """The thresholds of K targets `(K,)`: in the middle between two scores, or at the lowest one.

    Of cuts that are equally good it is the one nearest to 0. A target without a valid positive label keeps 0, with a
    warning.

    Arguments:
        scores: `(N, K)`, compared in float32: raw ones for the score map `thresholds`; on any scale that ascends.
        labels: `(N, K)`, 0 or 1.
        valid: `(N, K)` bool; what is not valid is not looked at.
        names: of the targets, for the warning; None for their numbers.

    Warns:
        DataWarning: targets have no valid positive label.

    Raises:
        InputError: shapes differ, a valid label is neither 0 nor 1, or a score of one is NaN or infinite.
    """
    given, truth, known = check_labels(scores, labels, valid)
    _warn_of(np.asarray(~(truth & known).any(axis=0)), names)
    return np.array([_fit(*(part[known[:, k], k] for part in (given, truth))) for k in range(given.shape[1])], "f4")


def fit_thresholds_ref(scores: ArrayLike, labels: ArrayLike, valid: ArrayLike) -> NDArray[np.float32]:
    """The slow twin: every cut is tried, and its hits counted anew."""
    given, truth, known = check_labels(scores, labels, valid)
    found = []
    for k in range(given.shape[1]):
        rows = [n for n in range(len(given)) if known[n, k]]
        distinct = sorted({given[n, k] for n in rows})
        best = (0.0, 0.0, np.float32(0))
        for low, high in zip([None, *distinct], distinct, strict=False):
            cut = high if low is None else np.float32(_middle(low, high))
            hits = sum(bool(given[n, k] >= cut and truth[n, k]) for n in rows)
            chosen = sum(bool(given[n, k] >= cut) for n in rows)
            f1 = 2 * hits / (chosen + sum(bool(truth[n, k]) for n in rows))
            best = max(best, (f1, -abs(float(cut)), cut)) if f1 > 0 else best
        found.append(best[2])
    return np.array(found, "f4")


def check_labels(scores: ArrayLike, labels: ArrayLike, valid: ArrayLike) -> tuple[NDArray[np.float32], Flags, Flags]:
    """Scores `(N, K)` float32, labels and what of them is valid as flags.

    Raises:
        InputError: as `fit_thresholds`.
    """
    given, values, known = np.asarray(scores, np.float32), np.asarray(labels), np.asarray(valid)
    if given.ndim != 2 or values.shape != given.shape or known.shape != given.shape:
        shapes = f"{given.shape}, labels {values.shape}, valid {known.shape}"
        raise InputError(f"scores: {shapes}; give (N, K) for each")
    known = known.astype(bool)
    if (wrong := known & (values != 0) & (values != 1)).any():
        row, target = (int(at) for at in np.argwhere(wrong)[0])
        fact = f"{values[row, target].item()!r} is neither 0 nor 1"
        raise InputError(f"labels[{row}, {target}]: {fact}; mark it as not valid, or mend it")
    if (wrong := known & ~np.isfinite(given)).any():
        row, target = (int(at) for at in np.argwhere(wrong)[0])
        raise InputError(f"scores[{row}, {target}]: NaN or infinite; leave the frame out")
    return given, (values == 1) & known, known


def _fit(scores: NDArray[np.float32], truth: Flags) -> np.float32:
    if not truth.any():
        return np.float32(0)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(truth[order])
    # places after which the next score is lower, and the end
    ends = np.append(np.flatnonzero(scores[:-1] > scores[1:]), len(scores) - 1)
    f1 = 2 * hits[ends] / (ends + 1 + hits[-1])
    cuts = np.append(_middle(scores[ends[:-1] + 1], scores[ends[:-1]]), scores[-1])[f1 == f1.max()]
    nearest: np.float32 = cuts[np.lexsort((cuts, -np.abs(cuts)))[-1]]
    return nearest


def _middle(low: Any, high: Any) -> Any:
    """Values above `low` that `high` reaches, in float32."""
    middle = ((np.asarray(low, np.float64) + high) / 2).astype("f4")
    return np.where(low < middle, middle, high)


def _warn_of(missing: Flags, names: Sequence[str] | None) -> None:
    if missing.any():
        found = [int(k) for k in np.flatnonzero(missing)]
        targets = listed(found if names is None else [names[k] for k in found])
        text = f"thresholds: no valid positive label of the targets {targets}; theirs stay at 0"
        warnings.warn(text, DataWarning, stacklevel=3)
