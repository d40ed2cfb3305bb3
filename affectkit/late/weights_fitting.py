"""The weights of `weighted` that make what came true most probable: those of a mixture of the members.

    NLL(w) = - sum_n c_n log sum_m w_m p_nm,        w >= 0, sum_m w_m = 1, sum_n c_n = 1

p_nm is the probability that member m gives to what is true of element n. NLL is convex, so there is one lowest value.
Expectation-maximization (Dempster et al. 1977), w_m <- w_m g_m with g_m = sum_n c_n p_nm / sum_l w_l p_nl, lowers it
in every step, and is never more than log max_m g_m above the lowest value: that is when to stop.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

# Nats from the lowest value, far below what the choice of people changes.
_CLOSE = 1e-5
_STEPS = 20_000
_FLOOR = 1e-7
_Floats = NDArray[np.float64]


def fit_weights(probabilities: _Floats, counts: _Floats) -> _Floats:
    """Weights `(M,)` that sum to 1.

    Arguments:
        probabilities: p, of what is true, `(n, M)` in [0, 1]; below 1e-7 they count as that.
        counts: c, how much each element counts, `(n,)`, with a sum of 1.
    """
    p = np.maximum(probabilities, _FLOOR)
    weights = np.full(p.shape[1], 1 / p.shape[1])
    for _ in range(_STEPS):
        gains = (counts / (p @ weights)) @ p
        if np.log(gains.max()) <= _CLOSE:
            break
        weights = weights * gains
    # gains keep the sum; this takes away what rounding added
    found: _Floats = weights / weights.sum()
    return found


def fit_weights_ref(probabilities: _Floats, counts: _Floats, *, steps: int = 100) -> _Floats:
    """The slow twin: every point of a grid is tried."""
    members = probabilities.shape[1]
    best, lowest = np.zeros(members), np.inf
    for point in product(range(steps + 1), repeat=members - 1):
        if sum(point) <= steps:
            weights = np.array([*point, steps - sum(point)]) / steps
            nll = mixture_nll(probabilities, counts, weights)
            if nll < lowest:
                best, lowest = weights, nll
    return best


def mixture_nll(probabilities: _Floats, counts: _Floats, weights: _Floats) -> float:
    """NLL(w), in nats."""
    return float(-(counts * np.log(np.maximum(probabilities, _FLOOR) @ weights)).sum())
