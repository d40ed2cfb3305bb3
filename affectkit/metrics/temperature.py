"""The temperature by which scores fit labels best (Guo et al. 2017, section 4.2).

    NLL(b) = mean of -log softmax(b z)_y,    or of log(1 + exp(-b z)) where y = 1, log(1 + exp(b z)) where y = 0

with b = 1 / T. NLL is convex in b, and its slope is the mean of E[z] under the probabilities at b, less z_y. So the
slope has one zero, which is found by halving: exactly, and whatever the scale of the scores.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import DataWarning, InputError

# Beyond these the labels say that scores are worth nothing, or that there is nothing to be unsure of.
LOWEST, HIGHEST = 0.05, 20.0
_HALVINGS = 60
_Floats = NDArray[np.float64]


def find_temperature(scores: ArrayLike, labels: ArrayLike, valid: ArrayLike, *, path: str = "") -> float:
    """T, from 0.05 to 20.

    Arguments:
        scores: raw, `(N, K)`.
        labels: class numbers `(N,)`, or 0 and 1 `(N, K)` for labels of which any may be present.
        valid: bool, of the shape of the labels; what is not valid is not looked at.
        path: of what is scored, for the warning.

    Warns:
        DataWarning: the best temperature lies beyond that range, at an end of which T then is.

    Raises:
        InputError: shapes differ, nothing is valid, a valid label is none, a score of one is NaN or infinite, or no
            score is above another.
    """
    given, truth = check_scores(scores, labels, valid)
    if not (given - given[:, :1] if truth.ndim == 1 else given).any():
        raise InputError("scores: none is above another, so that every temperature fits alike; train the model first")

    def rises(temperature: float) -> bool:
        return _slope(given / temperature, given, truth) > 0

    # of T: the slope over b is positive below the best T, where scores are too sure, and negative above it
    low, high = LOWEST, HIGHEST
    if not rises(low):
        return _at_the_end(path, low, "below", "nearly every sample is scored right")
    if rises(high):
        return _at_the_end(path, high, "above", "the scores say little of the labels")
    for _ in range(_HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if rises(middle) else (low, middle)
    return float(np.sqrt(low * high))


def find_temperature_ref(scores: ArrayLike, labels: ArrayLike, valid: ArrayLike) -> float:
    """The slow twin: the NLL itself, on a grid that becomes finer around the lowest value."""
    given, truth = check_scores(scores, labels, valid)

    def nll(temperature: float) -> float:
        z = given / temperature
        if truth.ndim == 1:
            return float(np.mean(_log_sum(z) - z[np.arange(len(z)), truth]))
        return float(np.mean(np.logaddexp(0, np.where(truth == 1, -z, z))))

    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(12):
        grid = np.linspace(low, high, 41)
        best = int(np.argmin([nll(float(np.exp(one))) for one in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(np.exp((low + high) / 2))


def check_scores(scores: ArrayLike, labels: ArrayLike, valid: ArrayLike) -> tuple[_Floats, NDArray[np.int64]]:
    """What is valid of scores and labels: `(N, K)` with `(N,)`, or all single ones as `(n, 1)` with `(n, 1)`.

    Raises:
        InputError: as `find_temperature`.
    """
    given, truth, known = np.asarray(scores, np.float64), np.asarray(labels), np.asarray(valid, np.bool_)
    if given.ndim != 2 or truth.shape not in (given.shape, given.shape[:1]) or known.shape != truth.shape:
        shapes = f"{given.shape}, labels {truth.shape}, valid {known.shape}"
        raise InputError(f"scores: {shapes}; give (N, K), and labels and valid as (N,) or (N, K)")
    if not known.any():
        raise InputError("labels: none is valid; give samples with labels")
    if truth.ndim == 2:
        given, truth, number = given[known][:, None], truth[known][:, None], 2
    else:
        given, truth, number = given[known], truth[known], given.shape[1]
    wrong = truth[~((truth >= 0) & (truth < number) & (truth == np.floor(truth)))]
    if wrong.size:
        expected = "0 or 1" if truth.ndim == 2 else f"a whole number from 0 to {number - 1}"
        raise InputError(f"labels: {wrong.flat[0].item()!r} is none; give {expected}, or mark it not valid")
    if not np.isfinite(given).all():
        raise InputError("scores: NaN or infinite; leave the sample out")
    return given, truth.astype(np.int64)


def _at_the_end(path: str, end: float, where: str, why: str) -> float:
    before = f"{path}: " if path else ""
    text = f"{before}temperature: the best one is {where} {end:g}, as {why}; it is {end:g}, give more samples"
    warnings.warn(text, DataWarning, stacklevel=3)
    return end


def _slope(z: _Floats, scores: _Floats, truth: NDArray[Any]) -> float:
    """dNLL/db at probabilities of `z = b scores`."""
    if truth.ndim == 1:
        expected = (np.exp(z - _log_sum(z)[:, None]) * scores).sum(axis=1)
        return float(np.mean(expected - scores[np.arange(len(z)), truth]))
    # not 1 / (1 + exp(-z)), which overflows
    return float(np.mean((np.exp(-np.logaddexp(0, -z)) - truth) * scores))


def _log_sum(z: _Floats) -> _Floats:
    found: _Floats = np.logaddexp.reduce(z, axis=1)
    return found
