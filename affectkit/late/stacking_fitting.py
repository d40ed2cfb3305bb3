"""`stacking` fitted to convergence: logistic regression on what the members say, drawn towards their geometric mean.

    loss(W, b) = sum_n c_n (-log p_n(y_n)) + l / 2 (|W - W_0|^2 + |b|^2),        sum_n c_n = 1

W_0 is where `stacking` begins. The usual penalty draws W to 0, where the members' opinion counts nothing; this one
draws it to their mean, so that few people to fit on change little. For l > 0 the loss is strictly convex: it has one
solution.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

# Of the gradient's largest entry; counts sum to 1, so that it is of the order of a probability.
_FLAT = 1e-7
_STEPS = 500


class Stacked(NamedTuple):
    """A solution: W `(M, K, K)` of classes as (member, from, to), or `(M, K)` of labels; b `(K,)`."""

    weight: Tensor
    bias: Tensor


def fit_stacking(
    inputs: Tensor, truth: Tensor, counts: Tensor, start: Stacked, *, penalty: float, begin: Stacked | None = None
) -> Stacked:
    """The solution, by L-BFGS.

    Arguments:
        inputs: log-probabilities of classes, or logits of labels, `(n, M, K)` float64.
        truth: class numbers `(n,)`, or 0 and 1 `(n, K)`.
        counts: c, `(n,)` of classes or `(n, K)` of labels; 0 leaves one out.
        start: W_0 and a bias of 0.
        penalty: l, more than 0.
        begin: where to begin, such as the solution for another penalty; None for `start`.
    """
    moved = Stacked(*(nn.Parameter(part.clone()) for part in (start if begin is None else begin)))
    # torch leaves its types open, here and below
    optimizer: Any = torch.optim.LBFGS(
        list(moved), max_iter=_STEPS, tolerance_grad=_FLAT, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        loss = stacking_loss(moved, inputs, truth, counts) + _drawn(moved, start, penalty)
        torch.autograd.backward(loss)
        return loss.item()

    optimizer.step(closure)
    return Stacked(*(part.detach() for part in moved))


def fit_stacking_ref(inputs: Tensor, truth: Tensor, counts: Tensor, start: Stacked, *, penalty: float) -> Stacked:
    """The slow twin: Newton's method with the whole matrix of second derivatives."""

    def parts(flat: Tensor) -> Stacked:
        size = start.weight.numel()
        return Stacked(flat[:size].view_as(start.weight), flat[size:])

    def loss(flat: Tensor) -> Tensor:
        return stacking_loss(parts(flat), inputs, truth, counts) + _drawn(parts(flat), start, penalty)

    functional: Any = torch.autograd.functional
    flat = torch.cat([part.flatten() for part in start])
    for _ in range(50):
        step = torch.linalg.solve(functional.hessian(loss, flat), functional.jacobian(loss, flat))
        # halved until it descends: far from the solution a whole step may lead away
        size = 1.0
        while loss(flat - size * step) > loss(flat) and size > 1e-6:
            size /= 2
        flat = flat - size * step
        if step.abs().max() < 1e-9:
            break
    return parts(flat)


def stacking_loss(moved: Stacked, inputs: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The loss without its penalty, `()`."""
    scores = stacked_scores(moved, inputs)
    if truth.ndim == 1:
        each = nn.functional.cross_entropy(scores, truth, reduction="none")
    else:
        each = nn.functional.binary_cross_entropy_with_logits(scores, truth.to(scores.dtype), reduction="none")
    return (counts * each).sum()


def stacked_scores(moved: Stacked, inputs: Tensor) -> Tensor:
    """Scores `(n, K)` of inputs `(n, M, K)`."""
    if moved.weight.ndim == 3:
        return torch.einsum("nmk,mkj->nj", inputs, moved.weight) + moved.bias
    return (inputs * moved.weight).sum(dim=1) + moved.bias


def _drawn(moved: Stacked, start: Stacked, penalty: float) -> Tensor:
    away = [(one - origin).square().sum() for one, origin in zip(moved, start, strict=True)]
    return penalty / 2 * torch.stack(away).sum()
