"""How sure a score is: subjects are drawn anew, not samples, since samples of one person are alike.

The percentile bootstrap (Efron and Tibshirani, 1993, chapter 13) over subjects: each of B replicates takes S subjects
of the S, with replacement, sums their counts, and scores the sum. Two systems are compared on the same draws, so that
what makes a subject hard for both cancels. Counts are confusion matrices, or any that may be added up.

A draw can lack what a score needs, such as the few videos in which something is labeled, and has no score then. The
interval is that of the draws that have one; where more than `MOST_UNDEFINED` of them have none, there is no interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.metrics.recognition import Counts, Scores
from affectkit.seeds import check_seed

Score = Callable[[Counts], Scores]
# Matrices that are summed at once: some tens of MB.
_CHUNK = 500
# Above this share the draws that have a score are no longer those of the bootstrap.
MOST_UNDEFINED = 0.05


@dataclass(frozen=True)
class Interval:
    """A score with its interval.

    Attributes:
        value: of all subjects as they are; the mean over seeds.
        low, high: ends of the interval; NaN where more than `MOST_UNDEFINED` of the replicates have no score.
        level: share of the replicates inside, of those that have a score.
        subjects: how many were drawn from.
        seeds: how many runs the value is the mean of.
        undefined: share of the replicates that have no score.
    """

    value: float
    low: float
    high: float
    level: float
    subjects: int
    seeds: int
    undefined: float = 0.0

    @property
    def remark(self) -> str:
        """What is to be said beside it; empty where every replicate has a score, or the value itself is none."""
        share = f"{100 * self.undefined:.2g} % of the draws, in which there is nothing to score"
        if not self.undefined or np.isnan(self.value):
            return ""
        return f"without {share}" if self.undefined <= MOST_UNDEFINED else f"no interval, because of {share}"

    def __str__(self) -> str:
        if self.undefined > MOST_UNDEFINED:
            return f"{self.value:.3f} ({self.remark})" if self.remark else f"{self.value:.3f}"
        ends = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"{ends} ({self.remark})" if self.remark else ends


def bootstrap_score(
    counts: Counts, score: Score, *, level: float = 0.95, replicates: int = 5000, seed: int = 0
) -> Interval:
    """The interval of a score.

    Arguments:
        counts: of each subject, `(S, R, C)`, or of each seed and subject, `(K, S, R, C)`: then the score is the mean
            over the seeds, of whose training the subjects are drawn alike.
        score: of pooled counts, `(..., R, C)` to `(...)`, such as `uf1`.
        level: share of the replicates inside the interval.
        replicates: B.
        seed: of the draws.

    Raises:
        InputError: there are fewer than two subjects, or an argument is out of its range.
        ConfigError: the seed is.
    """
    runs = _runs(counts, "counts")
    value, drawn = _mean_score(runs, score, replicates, seed)
    return _interval(value, drawn, level, runs)


def bootstrap_difference(
    ours: Counts,
    theirs: Counts,
    score: Score,
    *,
    same_rows: bool = True,
    level: float = 0.95,
    replicates: int = 5000,
    seed: int = 0,
) -> Interval:
    """The interval of the score of `ours` less that of `theirs`, on the same subjects in the same order.

    Arguments:
        ours: as `bootstrap_score` takes them.
        theirs: the same; the number of seeds may differ.
        same_rows: whether rows of one subject have to have the same sums, as those of confusion matrices of the same
            samples have. Counts of events have not, since each system predicts as many as it likes.
        score, level, replicates, seed: as `bootstrap_score`.

    Raises:
        InputError, ConfigError: as `bootstrap_score`; or the subjects, or what they did, differ.
    """
    one, other = _runs(ours, "ours"), _runs(theirs, "theirs")
    is_same = one.shape[1:] == other.shape[1:]
    if not is_same or (same_rows and (one[0].sum(axis=-1) != other[0].sum(axis=-1)).any()):
        raise InputError(
            "theirs: other subjects or samples than in `ours`; a paired test needs both systems on the same ones"
        )
    value, drawn = _mean_score(one, score, replicates, seed)
    value_other, drawn_other = _mean_score(other, score, replicates, seed)
    return _interval(value - value_other, drawn - drawn_other, level, one)


def _runs(counts: Counts, name: str) -> Counts:
    runs = counts if counts.ndim == 4 else counts[None]
    if runs.ndim != 4:
        raise InputError(
            f"{name}: shape {counts.shape}; give (subjects, rows, columns) or (seeds, subjects, rows, columns)"
        )
    if runs.shape[1] < 2:
        raise InputError(f"{name}: {runs.shape[1]} subject; an interval over subjects needs at least 2")
    return runs


def _mean_score(runs: Counts, score: Score, replicates: int, seed: int) -> tuple[float, NDArray[np.float64]]:
    """The score of all subjects, and of each replicate; means over the seeds."""
    if replicates < 1:
        raise InputError(f"replicates: {replicates!r} is too few; give 1 or more")
    check_seed(seed)
    rng, subjects = np.random.default_rng(seed), runs.shape[1]
    drawn = []
    for start in range(0, replicates, _CHUNK):
        number = min(_CHUNK, replicates - start)
        times = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=number)
        drawn.append(score(np.einsum("bs,kscd->bkcd", times, runs, optimize=True)).mean(axis=-1))
    return float(score(runs.sum(axis=1)).mean()), np.concatenate(drawn)


def _interval(value: float, drawn: NDArray[np.float64], level: float, runs: Counts) -> Interval:
    if not 0 < level < 1:
        raise InputError(f"level: {level!r} is no share; give more than 0 and less than 1")
    scored = drawn[~np.isnan(drawn)]
    undefined = float(np.isnan(drawn).mean())
    low, high = float("nan"), float("nan")
    if undefined <= MOST_UNDEFINED:
        low, high = np.quantile(scored, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, runs.shape[1], runs.shape[0], undefined)
