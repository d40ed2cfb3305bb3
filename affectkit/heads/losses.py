"""Losses over partial labels. Each takes `loss(scores, values, valid, ...)` and returns a scalar.

What is not valid is never looked at: neither its value nor its score, NaN included, reaches the loss or a gradient.
Where nothing is valid the loss is 0 with zero gradient. Computed in float32 at least.

Symbols: s score (logit), p = sigmoid(s), x prediction, y label, m mean, s_x^2 variance and s_xy covariance (population
moments, over n), w_i weight of target i, N number of targets.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.sequences import masked_mean

# Below this denominator a CCC is rounding noise; it also bounds the gradient.
CCC_FLOOR = 1e-8


def cross_entropy(
    scores: Tensor,
    values: Tensor,
    valid: Tensor,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`sum_i l_i / sum_i w_{y_i}` over valid labels, with `l_i = -sum_c q_ic w_c log softmax(s_i)_c`.

    `q_ic` is `1 - e + e/K` for the label's class and `e/K` for the others, with e the label smoothing.

    Arguments:
        scores: logits `(..., K)`.
        values: class index `(...)`, int64.
        valid: `(...)` bool.
        class_weights: w, `(K,)`; None for ones. If every valid label has weight 0, the loss is 0.
        label_smoothing: e in [0, 1).
    """
    # A sentinel such as -1 would be out of bounds; class 0 is as good as any, since its loss is dropped below.
    logits, labels = _kept(scores, valid.unsqueeze(-1)), values.masked_fill(~valid, 0)
    weights = logits.new_ones(logits.shape[-1]) if class_weights is None else class_weights.to(logits)
    each = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        labels.reshape(-1),
        weight=weights,
        label_smoothing=label_smoothing,
        # Not torch's own mean, which would divide by the weights of labels that are not valid too.
        reduction="none",
    ).reshape(labels.shape)
    total = weights[labels].masked_fill(~valid, 0.0).sum()
    return each.masked_fill(~(valid & (total > 0)), 0.0).sum() / torch.where(total > 0, total, 1.0)


def shared_cross_entropy(
    scores: Tensor,
    shares: Tensor,
    valid: Tensor,
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`sum_i l_i / sum_ic y_ic w_c`, as `cross_entropy`, where a label is shares y of several classes.

    `q_ic = (1 - e) y_ic + e/K`. With all of a label in one class, the two are the same.

    Arguments:
        scores: logits `(..., K)`.
        shares: y, `(..., K)`, each row with sum 1.
        valid: `(...)` bool.
        class_weights: w, `(K,)`; None for ones.
        label_smoothing: e in [0, 1).
    """
    logits, y = _kept(scores, valid.unsqueeze(-1)), _kept(shares, valid.unsqueeze(-1))
    weights = logits.new_ones(logits.shape[-1]) if class_weights is None else class_weights.to(logits)
    q = (1 - label_smoothing) * y + label_smoothing / logits.shape[-1]
    each = -(q * weights * F.log_softmax(logits, dim=-1)).sum(-1)
    # rows that are not valid are zeros here
    total = (y * weights).sum()
    return each.masked_fill(~(valid & (total > 0)), 0.0).sum() / torch.where(total > 0, total, 1.0)


def concordance(scores: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """`CCC = 2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2)` of each target, over all its valid labels pooled (Lin 1989).

    Arguments:
        scores: x, `(..., K)`, decoded to the scale of the labels.
        values: y, `(..., K)`.
        valid: `(..., K)` bool.

    Returns:
        `(K,)` in [-1, 1]. 0 with zero gradient for a target with fewer than two valid labels, or where both
        prediction and label are constant and equal (denominator up to 1e-8).
    """
    x, y, counted = (tensor.reshape(-1, tensor.shape[-1]) for tensor in _pair(scores, values, valid))
    m_x, m_y = masked_mean(x, counted, 0), masked_mean(y, counted, 0)
    # Centered before squaring: the difference of large sums would lose the digits that matter.
    # What is not valid holds -m here; masked_mean leaves it out.
    d_x, d_y = x - m_x, y - m_y
    s_xy = masked_mean(d_x * d_y, counted, 0)
    denominator = masked_mean(d_x.square() + d_y.square(), counted, 0) + (m_x - m_y).square()
    is_defined = denominator > CCC_FLOOR
    # Both sides are replaced: one `where` around 0 / 0 would leave a NaN gradient.
    return torch.where(is_defined, 2 * s_xy, 0.0) / torch.where(is_defined, denominator, 1.0)


def concordance_loss(scores: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """`1 - mean CCC` over the targets with at least two valid labels; 0 where no target has them.

    Shapes as in `concordance`. A target whose labels and predictions are constant counts with a CCC of 0, so that it
    adds to the loss but not to the gradient.
    """
    # One label has no variance: its CCC would be 0 whatever the prediction.
    enough = valid.reshape(-1, valid.shape[-1]).sum(0) >= 2
    return masked_mean(1 - concordance(scores, values, valid), enough)


def asymmetric(scores: Tensor, values: Tensor, valid: Tensor, weights: Tensor | None = None) -> Tensor:
    """`-1/N sum_i w_i [y_i log p_i + (1 - y_i) p_i log(1 - p_i)]`, averaged over valid labels.

    Weighted asymmetric loss of ME-GraphAU (arXiv 2205.01782, section 3.3). The factor `p_i`, which turns down easy
    negatives, is detached: it is a weight, and no gradient flows through it.

    Arguments:
        scores: logits `(..., K)`.
        values: y in [0, 1], `(..., K)`.
        valid: `(..., K)` bool.
        weights: w, `(K,)`; None for ones.
    """
    s, y, valid = _pair(scores, values, valid)
    p = torch.sigmoid(s).detach()
    # log p and log(1 - p) from the logit: a rounded p of 0 or 1 would make one of them infinite.
    each = -(y * F.logsigmoid(s) + (1 - y) * p * F.logsigmoid(-s))
    return masked_mean(_weighted(each, weights), valid)


def binary_cross_entropy(scores: Tensor, values: Tensor, valid: Tensor, weights: Tensor | None = None) -> Tensor:
    """`-1/N sum_i w_i [y_i log p_i + (1 - y_i) log(1 - p_i)]`, averaged over valid labels; as `asymmetric`."""
    s, y, valid = _pair(scores, values, valid)
    each = F.binary_cross_entropy_with_logits(s, y, reduction="none")
    return masked_mean(_weighted(each, weights), valid)


def squared_error(scores: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """`(x - y)^2`, the mean over valid labels; all `(..., K)`."""
    x, y, valid = _pair(scores, values, valid)
    return masked_mean((x - y).square(), valid)


def smooth_l1(scores: Tensor, values: Tensor, valid: Tensor) -> Tensor:
    """`d^2 / 2` where `d = |x - y| < 1`, else `d - 1/2`; the mean over valid labels; all `(..., K)`."""
    x, y, valid = _pair(scores, values, valid)
    return masked_mean(F.smooth_l1_loss(x, y, reduction="none"), valid)


def _kept(values: Tensor, valid: Tensor) -> Tensor:
    """In float32 at least, with zeros where not valid: a gradient of zero times NaN would be NaN."""
    return values.to(torch.promote_types(values.dtype, torch.float32)).masked_fill(~valid, 0.0)


def _pair(scores: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x = _kept(scores, valid)
    return x, _kept(values, valid).to(x.dtype), valid


def _weighted(each: Tensor, weights: Tensor | None) -> Tensor:
    return each if weights is None else each * weights.to(each)
