"""Softmax regression with a penalty for the distance from a start, by Newton's method on all rows at once.

    J(W, b) = sum_n v_n (-log softmax(W x_n + b)_(y_n)) / sum_n v_n + l2/2 (|W - W_0|^2 + |b|^2)

J is strictly convex, so there is one minimum, and where one begins makes no difference. Rows without information leave
W_0 as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from affectkit.errors import InputError

_STEPS = 100
# Largest derivative, over l2 where that is more than 1, at which the minimum counts as reached.
_FLAT = 1e-9


class SoftmaxFit(NamedTuple):
    """What `fit_softmax` found.

    Attributes:
        weight: W, `(K', K)` float64.
        bias: b, `(K',)` float64.
        before: mean weighted loss of the rows by W_0 and b = 0, nats, without the penalty.
        after: the same by W and b.
    """

    weight: Tensor
    bias: Tensor
    before: float
    after: float


def fit_softmax(
    features: Tensor, labels: Tensor, start: Tensor, *, l2: float, weights: Tensor | None = None
) -> SoftmaxFit:
    """W and b of the minimum of J, in float64.

    Arguments:
        features: x, `(N, K)`, finite.
        labels: y, `(N,)` int64, from 0 to K' - 1.
        start: W_0, `(K', K)`.
        l2: above 0.
        weights: v, `(N,)`, at least 0 and not all 0; None for equal ones.

    Raises:
        InputError: `l2` is not above 0, or the minimum is not reached in 100 steps.
    """
    if not l2 > 0:
        raise InputError(f"l2: {l2!r} is no penalty; give more than 0")
    x = torch.cat([features.double(), torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    v = torch.ones(len(x), dtype=torch.float64) if weights is None else weights.double()
    v = v / v.sum()
    w_0 = torch.cat([start.double(), torch.zeros(len(start), 1, dtype=torch.float64)], dim=1)
    w = w_0
    for _ in range(_STEPS):
        gradient, hessian = _derivatives(w, x, labels, v, w_0, l2)
        if gradient.abs().max() < _FLAT * max(1.0, l2):
            losses = [float(_loss(one, x, labels, v)) for one in (w_0, w)]
            return SoftmaxFit(w[:, :-1], w[:, -1], losses[0], losses[1])
        step = torch.linalg.solve(hessian, gradient.flatten()).reshape(w.shape)
        w = _descend(w, step, gradient, x, labels, v, w_0, l2)
    raise InputError(f"features: no minimum in {_STEPS} steps; raise l2={l2!r}")


def softmax_loss(w: Tensor, x: Tensor, labels: Tensor, v: Tensor, w_0: Tensor, l2: float) -> Tensor:
    """J, from W and b side by side `(K', K + 1)`, rows `(N, K + 1)` that end with 1, and weights that sum to 1."""
    return _loss(w, x, labels, v) + l2 / 2 * (w - w_0).square().sum()


def _loss(w: Tensor, x: Tensor, labels: Tensor, v: Tensor) -> Tensor:
    return -(v * torch.log_softmax(x @ w.T, dim=-1).gather(1, labels[:, None])[:, 0]).sum()


def _derivatives(w: Tensor, x: Tensor, labels: Tensor, v: Tensor, w_0: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Gradient `(K', K + 1)` and Hessian, of its flat entries, of J."""
    p = torch.softmax(x @ w.T, dim=-1)
    residual = v[:, None] * (p - torch.nn.functional.one_hot(labels, len(w)))
    gradient = residual.T @ x + l2 * (w - w_0)
    # entry (k, d), (l, e): sum_n v p_k (delta_kl - p_l) x_d x_e
    products = (p[:, :, None] * x[:, None, :]).flatten(1)
    hessian = -products.T @ (v[:, None] * products)
    width = x.shape[1]
    for k in range(len(w)):
        own = slice(k * width, (k + 1) * width)
        hessian[own, own] += x.T @ ((v * p[:, k])[:, None] * x)
    return gradient, hessian + l2 * torch.eye(len(hessian), dtype=torch.float64)


def _descend(
    w: Tensor, step: Tensor, gradient: Tensor, x: Tensor, labels: Tensor, v: Tensor, w_0: Tensor, l2: float
) -> Tensor:
    """Along Newton's step, half as far until J has fallen by enough of what the gradient promises (Armijo)."""
    now, promised, length = softmax_loss(w, x, labels, v, w_0, l2), (gradient * step).sum(), 1.0
    # near the minimum J no longer changes within its digits, while Newton's step is still right
    slack = 1e-12 * (1 + now.abs())
    while softmax_loss(w - length * step, x, labels, v, w_0, l2) > now - 1e-4 * length * promised + slack:
        length /= 2
    return w - length * step
