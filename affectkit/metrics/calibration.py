"""Whether probabilities mean what they say: of what is scored 0.8, eight in ten should be so.

    ECE = sum_b (n_b / n) |acc_b - conf_b|                            b: bins of confidence

(Naeini et al. 2015; Guo et al. 2017, section 2), of the most probable class with its probability; of labels of which
any may be present, of each label with its own. The classwise ECE (Kull et al. 2019) is that of every target alone, the
probability of it against whether it is there, and the mean over the targets: what the top class hides. Bins are
equally wide, 15 as in Guo et al., or hold equally many samples (Nguyen and O'Connor 2015), as far as ties allow.

    Brier = mean of sum_k (p_k - y_k)^2,        NLL = mean of -log p_y

(Brier 1950) are proper scores: they are best for the true probabilities, while the ECE of a constant that fits the
frequencies is 0. So an ECE alone says nothing, and is reported beside them.

All follow from sums that may be added up over groups, from which intervals are drawn. Of bins that hold equally many,
the edges are those of all samples. The ECE of few samples is too high, as noise in a bin counts like a fault
(Roelofs et al. 2022); a draw of the bootstrap has more of it, so that an interval may lie above its value.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.metrics.forecasts import Floats, Forecasts, Shown

Binning = Literal["width", "mass"]
BINS = 15
# A probability of 0 of what is true counts as this one, lest one sample decides everything.
FLOOR = 1e-7


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of confidence, `(B,)` each.

    Attributes:
        low, high: edges; a bin holds what is above `low`, up to `high`, the first one also its `low`.
        count: samples in it.
        confidence, accuracy: mean probability, and the share that is so; NaN where the bin is empty.
    """

    low: Floats
    high: Floats
    count: NDArray[np.int64]
    confidence: Floats
    accuracy: Floats


def reliability(forecasts: Forecasts, *, bins: int = BINS, binning: Binning = "width") -> Reliability:
    """Confidence and accuracy by bin, of the most probable class, or of all labels.

    Raises:
        InputError: `bins` is less than 1.
    """
    edges = bin_edges(forecasts.top(), bins, binning)
    sums = bin_sums(forecasts.top(), edges, [""] * len(forecasts.probabilities))[0].sum(axis=0)
    n, confidence, hits = np.moveaxis(sums, -1, 0)
    shares = (np.divide(one, n, out=np.full(len(n), np.nan), where=n > 0) for one in (confidence, hits))
    return Reliability(edges[:-1], edges[1:], n.astype(np.int64), *shares)


def expected_calibration_error(forecasts: Forecasts, *, bins: int = BINS, binning: Binning = "width") -> float:
    """ECE in [0, 1], of the most probable class, or of all labels.

    Raises:
        InputError: `bins` is less than 1.
    """
    shown = forecasts.top()
    sums = bin_sums(shown, bin_edges(shown, bins, binning), [""] * len(forecasts.probabilities))
    # all labels in one set of bins
    return float(calibration_error_of(sums[0].sum(axis=0)))


def classwise_calibration_error(forecasts: Forecasts, *, bins: int = BINS) -> float:
    """Mean over the targets of the ECE of each, in equally wide bins; a target without a valid label is left out.

    Raises:
        InputError: `bins` is less than 1.
    """
    sums = bin_sums(forecasts.each(), bin_edges(forecasts.each(), bins, "width"), [""] * len(forecasts.probabilities))
    return float(classwise_error_of(sums[0].reshape(-1, 3), bins))


def expected_calibration_error_ref(forecasts: Forecasts, *, bins: int = BINS, binning: Binning = "width") -> float:
    """The slow twin: bin by bin, and sample by sample."""
    p, hit, known = forecasts.top()
    pairs = [(float(p[at]), bool(hit[at])) for at in zip(*np.nonzero(known), strict=True)]
    if binning == "width":
        edges = [b / bins for b in range(bins + 1)]
    else:
        edges = sorted({0.0, 1.0} | {float(np.quantile([c for c, _ in pairs], b / bins)) for b in range(1, bins)})
    total = 0.0
    for b, (low, high) in enumerate(pairwise(edges)):
        inside = [(c, right) for c, right in pairs if (low < c <= high) or (b == 0 and c == low)]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(pairs) * abs(accuracy - confidence)
    return total


def brier_score(forecasts: Forecasts) -> float:
    """Of classes in [0, 2], the sum over them; of labels in [0, 1], the mean over them."""
    return float(mean_of(loss_sums(forecasts, [""] * len(forecasts.probabilities)))[0, 0, 0])


def negative_log_likelihood(forecasts: Forecasts) -> float:
    """In nats, 0 or more; of labels the mean over them."""
    return float(mean_of(loss_sums(forecasts, [""] * len(forecasts.probabilities)))[0, 0, 1])


def bin_edges(shown: Shown, bins: int, binning: Binning) -> Floats:
    """From 0 to 1, `(B + 1,)`; of equal mass fewer where many samples have one confidence.

    Arguments:
        shown: what `Forecasts.top` or `Forecasts.each` gives.
        bins: how many.
        binning: equal `width`, or equal `mass`.

    Raises:
        InputError: `bins` is less than 1.
    """
    if bins < 1:
        raise InputError(f"bins: {bins!r} is too few; give 1 or more")
    if binning == "width":
        # not by linspace, whose rounding may put 0.6 above the edge 9 / 15
        return np.arange(bins + 1) / bins
    p, _, known = shown
    inner = np.quantile(p[known], np.arange(1, bins) / bins)
    edges: Floats = np.unique(np.concatenate([[0.0, 1.0], inner]))
    return edges


def bin_sums(shown: Shown, edges: Floats, groups: Items[str]) -> Floats:
    """Of every group (sorted by name), column and bin: how many, sum of the confidence, and how many came true.

    Arguments:
        shown: `(N, K)` each, as `Forecasts.top` or `Forecasts.each` gives it.
        edges: of B bins, ascending.
        groups: one per sample.

    Returns:
        `(G, K, B, 3)`.

    Raises:
        InputError: there is not one group per sample.
    """
    p, hit, known = shown
    names, where = _groups(groups, len(p))
    inside = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, len(edges) - 2)
    rows, columns = np.nonzero(known)
    sums = np.zeros((names, p.shape[1], len(edges) - 1, 3))
    each = np.stack([np.ones(len(rows)), p[rows, columns], hit[rows, columns].astype(np.float64)], axis=-1)
    np.add.at(sums, (where[rows], columns, inside[rows, columns]), each)
    return sums


def loss_sums(forecasts: Forecasts, groups: Items[str]) -> Floats:
    """Of every group (sorted by name): how many, sum of the Brier scores, sum of the NLL, `(G, 1, 3)`.

    Raises:
        InputError: there is not one group per sample.
    """
    p, hit, known = forecasts.each()
    names, where = _groups(groups, len(p))
    squared = np.where(known, (p - hit) ** 2, 0.0)
    happened = np.where(hit, p, 1 - p)
    if forecasts.are_classes:
        squared = squared.sum(axis=1, keepdims=True)
        happened = np.where(hit, p, 0.0).sum(axis=1, keepdims=True)
        known = known[:, :1]
    logs = np.where(known, -np.log(np.clip(happened, FLOOR, 1.0)), 0.0)
    sums = np.zeros((names, 1, 3))
    np.add.at(sums[:, 0], where, np.stack([known.sum(axis=1), squared.sum(axis=1), logs.sum(axis=1)], axis=-1))
    return sums


def calibration_error_of(sums: NDArray[Any]) -> Floats:
    """ECE of sums `(..., B, 3)`; NaN where nothing counts."""
    n = sums[..., 0].sum(axis=-1)
    # (n_b / n) |acc_b - conf_b| = |hits_b - sum of confidence_b| / n
    apart = np.abs(sums[..., 2] - sums[..., 1]).sum(axis=-1)
    found: Floats = np.divide(apart, n, out=np.full(np.shape(n), np.nan), where=n > 0)
    return found


def classwise_error_of(sums: NDArray[Any], bins: int) -> Floats:
    """Mean of the ECE of targets whose bins are behind each other, `(..., K * B, 3)`; NaN where nothing counts."""
    errors = calibration_error_of(sums.reshape(*sums.shape[:-2], -1, bins, 3))
    known = ~np.isnan(errors)
    number = known.sum(axis=-1)
    total = np.where(known, errors, 0.0).sum(axis=-1)
    found: Floats = np.divide(total, number, out=np.full(np.shape(number), np.nan), where=number > 0)
    return found


def mean_of(sums: NDArray[Any]) -> Floats:
    """Brier score and NLL of sums `(..., 3)`, `(..., 2)`; NaN where nothing counts."""
    n = np.broadcast_to(sums[..., :1], sums[..., 1:].shape)
    found: Floats = np.divide(sums[..., 1:], n, out=np.full(n.shape, np.nan), where=n > 0)
    return found


def _groups(groups: Items[str], count: int) -> tuple[int, NDArray[np.int64]]:
    if len(groups) != count:
        raise InputError(f"groups: {len(groups)} names for {count} samples; give one per sample")
    names, where = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    return len(names), where
