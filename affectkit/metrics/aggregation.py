"""From the probabilities of frames to those of a video: mean, geometric mean, or vote, perhaps of the surest frames.

    mean        P_k = 1/T sum_t p_tk
    geometric   P_k ~ exp(1/T sum_t log max(p_tk, e^-20)), divided by their sum
    vote        P_k = share of the frames whose largest probability is that of k

Before that each frame may be replaced by the plain mean of the frames around it, and afterwards all but the surest be
left out. A frame's largest probability says how sure it is, and not whether it is right.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import InputError

Rule = Literal["mean", "geometric", "vote"]
RULES: tuple[Rule, ...] = ("mean", "geometric", "vote")
# Below this log-probability one frame would outweigh all others in a geometric mean.
_LOWEST = -20.0
# By how much the probabilities of a frame may miss 1: tables may hold few digits.
_SLACK = 1e-2
Numbers = NDArray[np.float64]


class Aggregate(NamedTuple):
    """What the frames of a video say together.

    Attributes:
        probabilities: `(K,)`, of each class; shares of the frames for `vote`. They sum to 1.
        label: number of the most probable class; of equal ones that with the largest mean probability, then the first.
        used: how many frames counted.
    """

    probabilities: Numbers
    label: int
    used: int


def aggregate_frames(
    probabilities: ArrayLike, frames: ArrayLike, *, rule: Rule = "mean", smooth: int = 0, top: int | None = None
) -> Aggregate:
    """One prediction for the frames of one face in one video.

    Arguments:
        probabilities: `(T, K)`, of classes that exclude each other: rows sum to 1, within 0.01.
        frames: numbers of the frames `(T,)`, ascending.
        rule: `mean`, `geometric` or `vote`.
        smooth: each frame is first replaced by the mean of all whose numbers differ by at most this; 0 for itself.
        top: only so many frames count, those with the largest probability, the earlier of equal ones; None for all.
            Where there are fewer, all count.

    Raises:
        InputError: shapes don't fit, frames don't ascend, a row is no distribution, or a setting is out of its range.
    """
    p, numbers = _checked(probabilities, frames, rule, smooth, top)
    if smooth:
        sums = np.concatenate([np.zeros((1, p.shape[1])), p.cumsum(axis=0)])
        first, end = (numbers.searchsorted(numbers - smooth), numbers.searchsorted(numbers + smooth, side="right"))
        p = (sums[end] - sums[first]) / (end - first)[:, None]
    if top is not None:
        # sorted back, so that the order of summation is that of time
        p = p[np.sort(np.argsort(-p.max(axis=1), kind="stable")[:top])]
    means = p.mean(axis=0)
    if rule == "mean":
        found = means
    elif rule == "vote":
        found = np.bincount(p.argmax(axis=1), minlength=p.shape[1]) / len(p)
    else:
        logs = np.log(np.maximum(p, math.exp(_LOWEST))).mean(axis=0)
        found = np.exp(logs - logs.max())
    # the last key counts first
    label = np.lexsort((np.arange(len(means)), -means, -found))[0]
    return Aggregate(found / found.sum(), int(label), len(p))


def aggregate_frames_ref(
    probabilities: ArrayLike, frames: ArrayLike, *, rule: Rule = "mean", smooth: int = 0, top: int | None = None
) -> Aggregate:
    """The slow twin: frame by frame, in plain Python."""
    given, numbers = _checked(probabilities, frames, rule, smooth, top)
    classes = range(given.shape[1])
    rows = []
    for number in numbers:
        near = [row for row, other in zip(given, numbers, strict=True) if abs(other - number) <= smooth]
        rows.append([math.fsum(row[k] for row in near) / len(near) for k in classes])
    chosen = sorted(range(len(rows)), key=lambda t: (-max(rows[t]), t))[:top]
    rows = [rows[t] for t in chosen]
    means = [math.fsum(row[k] for row in rows) / len(rows) for k in classes]
    if rule == "mean":
        found = means
    elif rule == "vote":
        found = [float(sum(row.index(max(row)) == k for row in rows)) for k in classes]
    else:
        found = [
            math.exp(math.fsum(max(math.log(row[k] or 1e-99), _LOWEST) for row in rows) / len(rows)) for k in classes
        ]
    label = min(classes, key=lambda k: (-found[k], -means[k], k))
    return Aggregate(np.array(found) / math.fsum(found), label, len(rows))


def _checked(
    probabilities: ArrayLike, frames: ArrayLike, rule: str, smooth: int, top: int | None
) -> tuple[Numbers, NDArray[np.int64]]:
    p, numbers = np.asarray(probabilities, np.float64), np.asarray(frames)
    if p.ndim != 2 or not len(p) or p.shape[1] < 2 or numbers.shape != p.shape[:1]:
        raise InputError(f"frames: {numbers.shape} for probabilities {p.shape}; give (T,) for (T, K)")
    if numbers.dtype.kind not in "iu":
        raise InputError(f"frames: dtype {numbers.dtype}; give the numbers of the frames, which are whole")
    if not (np.diff(numbers) > 0).all():
        raise InputError("frames: not in ascending order, each once; sort them, and take one face at a time")
    wrong = ~((p >= -1e-6) & (p <= 1 + 1e-6)).all(axis=1) | ~(np.abs(p.sum(axis=1) - 1) <= _SLACK)
    if wrong.any():
        at = int(wrong.argmax())
        fact = f"sum to {p[at].sum():.3g}, from {p[at].min():.3g} to {p[at].max():.3g}"
        raise InputError(f"frame {numbers[at]}: its probabilities {fact}; give classes that exclude each other")
    if rule not in RULES:
        raise InputError(f"rule: {rule!r} is not known; rules: {', '.join(map(repr, RULES))}")
    if smooth < 0:
        raise InputError(f"smooth: {smooth!r} frames; give 0 or more")
    if top is not None and top < 1:
        raise InputError(f"top: {top!r} frames; give 1 or more, or leave it out for all")
    return p, numbers.astype(np.int64)
