"""Softmax regression with a penalty for the distance from a start, by Newton's method on all rows at once.

    J(W, b) = sum_n v_n (-log softmax(W x_n + b)_(y_n)) / sum_n v_n + l2/2 (|W - W_0|^2 + |b|^2)

J is strictly convex, so there is one minimum, and where one begins makes no difference. Rows without information leave
W_0 as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from affectkit.errors import InputError

_STEPS = 100
# Largest derivative, over l2 where that is more than 1, at which the minimum counts as reached.
_FLAT = 1e-9
# Rows of which second derivatives are summed at once: they take this times K' (K + 1) numbers.
_AT_ONCE = 4096


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


def fit_softmax_ref(
    features: Tensor, labels: Tensor, start: Tensor, *, l2: float, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The slow twin: W and b, by derivatives that autograd finds."""
    v = torch.ones(len(labels), dtype=torch.float64) if weights is None else weights.double()
    x, w_0 = features.double(), start.double()

    def parts(flat: Tensor) -> tuple[Tensor, Tensor]:
        return flat[: w_0.numel()].view_as(w_0), flat[w_0.numel() :]

    def loss(flat: Tensor) -> Tensor:
        w, b = parts(flat)
        each = torch.nn.functional.cross_entropy(x @ w.T + b, labels, reduction="none")
        return (v * each).sum() / v.sum() + l2 / 2 * ((w - w_0).square().sum() + b.square().sum())

    return parts(minimize_ref(loss, torch.cat([w_0.flatten(), w_0.new_zeros(len(w_0))])))


def minimize_ref(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Where a strictly convex loss of `(n,)` is lowest: Newton's method with the whole matrix that autograd gives."""
    functional: Any = torch.autograd.functional
    flat = start
    for _ in range(50):
        step = torch.linalg.solve(functional.hessian(loss, flat), functional.jacobian(loss, flat))
        # halved until it descends: far from the solution a whole step may lead away
        size = 1.0
        while loss(flat - size * step) > loss(flat) and size > 1e-6:
            size /= 2
        flat = flat - size * step
        if step.abs().max() < 1e-9:
            break
    return flat


def softmax_loss(w: Tensor, x: Tensor, labels: Tensor, v: Tensor, w_0: Tensor, l2: float) -> Tensor:
    """J, from W and b side by side `(K', K + 1)`, rows `(N, K + 1)` that end with 1, and weights that sum to 1."""
    return _loss(w, x, labels, v) + l2 / 2 * (w - w_0).square().sum()


def _loss(w: Tensor, x: Tensor, labels: Tensor, v: Tensor) -> Tensor:
    return -(v * torch.log_softmax(x @ w.T, dim=-1).gather(1, labels[:, None])[:, 0]).sum()


def _derivatives(w: Tensor, x: Tensor, labels: Tensor, v: Tensor, w_0: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Gradient `(K', K + 1)` and Hessian, of its flat entries, of J."""
    gradient, hessian = l2 * (w - w_0), l2 * torch.eye(w.numel(), dtype=torch.float64)
    width = x.shape[1]
    for x_n, y_n, v_n in zip(*(torch.split(part, _AT_ONCE) for part in (x, labels, v)), strict=True):
        p = torch.softmax(x_n @ w.T, dim=-1)
        residual = v_n[:, None] * (p - torch.nn.functional.one_hot(y_n, len(w)))
        gradient += residual.T @ x_n
        # entry (k, d), (l, e): sum_n v p_k (delta_kl - p_l) x_d x_e
        products = (p[:, :, None] * x_n[:, None, :]).flatten(1)
        hessian -= products.T @ (v_n[:, None] * products)
        for k in range(len(w)):
            own = slice(k * width, (k + 1) * width)
            hessian[own, own] += x_n.T @ ((v_n * p[:, k])[:, None] * x_n)
    return gradient, hessian


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
