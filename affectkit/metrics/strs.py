"""Spot-then-recognize score (STRS): how well events are found, times how well those that are found are named.

    STRS = F1_spotting * F1_analysis,   F1_analysis = 2 P R / (P + R)

P and R are the means over the C classes of precision and recall of the true positives of spotting (Micro-Expression
Grand Challenges 2024 and 2025; Liong et al., MEAN, 2023). F1_analysis is thus the F1 of two means, and not UF1, the
mean of F1 per class. A class that no true positive has, or that is never predicted, counts 0 in the mean, with which
the baselines of 2025 agree (arXiv:2506.15298); public code leaves out a class that is neither true nor predicted, which
makes the score higher. True positives whose true class is none of the C, `others` for instance, are left out.

The confusion of true positives is `(..., C, C + 1)`: truth in rows, the last column for predictions of no class.
"""

from __future__ import annotations

import numpy as np

from affectkit.metrics.recognition import Counts, Scores
from affectkit.metrics.spotting import spotting_f1


def analysis_precision(confusion: Counts) -> Scores:
    """P, the mean precision over the classes, `(...)` in [0, 1]."""
    classes = confusion.shape[-2]
    return _share(confusion, confusion[..., :classes].sum(axis=-2))


def analysis_recall(confusion: Counts) -> Scores:
    """R, the mean recall over the classes, `(...)` in [0, 1]."""
    return _share(confusion, confusion.sum(axis=-1))


def analysis_f1(confusion: Counts) -> Scores:
    """Harmonic mean of P and R, `(...)` in [0, 1]; 0 where no true positive is named rightly."""
    precision, recall = analysis_precision(confusion), analysis_recall(confusion)
    whole = precision + recall
    return np.asarray(np.divide(2 * precision * recall, whole, out=np.zeros(whole.shape), where=whole > 0))


def strs(counts: Counts, confusion: Counts) -> Scores:
    """The product, `(...)` in [0, 1].

    Arguments:
        counts: of spotting, `(..., 3)`: true positives, false positives, false negatives.
        confusion: of the true positives, `(..., C, C + 1)`.
    """
    return np.asarray(spotting_f1(counts) * analysis_f1(confusion))


def _share(confusion: Counts, whole: Counts) -> Scores:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    shares = np.divide(hits, whole, out=np.zeros(whole.shape), where=whole > 0)
    return np.asarray(shares.mean(axis=-1))
