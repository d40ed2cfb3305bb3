"""`stacking` fitted to its minimum: logistic regression on what the members say, drawn towards their geometric mean.

    loss(W, b) = sum_n c_n (-log p_n(y_n)) + l / 2 (|W - W_0|^2 + |b|^2),        sum_n c_n = 1

W_0 is where `stacking` begins. The usual penalty draws W to 0, where the members' opinion counts nothing; this one
draws it to their mean, so that few people to fit on change little. For l > 0 the loss is strictly convex: it has one
solution.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from affectkit.ops.softmax_regression import fit_softmax, minimize_ref


class Stacked(NamedTuple):
    """A solution: W `(M, K, K)` of classes as (member, from, to), or `(M, K)` of labels; b `(K,)`."""

    weight: Tensor
    bias: Tensor


def fit_stacking(inputs: Tensor, truth: Tensor, counts: Tensor, start: Stacked, *, penalty: float) -> Stacked:
    """The solution, in float64.

    Arguments:
        inputs: log-probabilities of classes, or logits of labels, `(n, M, K)` float64.
        truth: class numbers `(n,)`, or 0 and 1 `(n, K)`.
        counts: c, `(n,)` of classes or `(n, K)` of labels; 0 leaves one out.
        start: W_0 and a bias of 0.
        penalty: l, more than 0.

    Raises:
        InputError: as `fit_softmax`.
    """
    if truth.ndim == 1:
        found = fit_softmax(inputs.flatten(1), truth, start.weight.flatten(0, 1).T, l2=penalty, weights=counts)
        return Stacked(found.weight.T.reshape(start.weight.shape), found.bias)
    columns = [
        _fit_label(inputs[..., k], truth[:, k].long(), counts[:, k], start.weight[:, k], penalty)
        for k in range(truth.shape[1])
    ]
    return Stacked(torch.stack([w for w, _ in columns], dim=1), torch.stack([b for _, b in columns]))


def _fit_label(inputs: Tensor, truth: Tensor, counts: Tensor, start: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """w `(M,)` and b `()` of one label, as those of two classes."""
    share = counts.sum()
    if share == 0:
        return start, start.new_zeros(())
    # sigmoid(s) is a softmax of -s / 2 and s / 2, whose squares together are half of that of s
    halves = torch.stack([-start, start]) / 2
    found = fit_softmax(inputs, truth, halves, l2=2 * penalty / float(share), weights=counts)
    return found.weight[1] - found.weight[0], found.bias[1] - found.bias[0]


def fit_stacking_ref(inputs: Tensor, truth: Tensor, counts: Tensor, start: Stacked, *, penalty: float) -> Stacked:
    """The slow twin: the loss as it is written, with derivatives that autograd finds."""

    def parts(flat: Tensor) -> Stacked:
        size = start.weight.numel()
        return Stacked(flat[:size].view_as(start.weight), flat[size:])

    def loss(flat: Tensor) -> Tensor:
        moved = parts(flat)
        away = sum((one - origin).square().sum() for one, origin in zip(moved, start, strict=True))
        return stacking_loss(moved, inputs, truth, counts) + penalty / 2 * away

    return parts(minimize_ref(loss, torch.cat([part.flatten() for part in start])))


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
