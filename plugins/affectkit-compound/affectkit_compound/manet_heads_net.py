"""The module of `manet-heads`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from affectkit import FeatureStream, Sequence
from affectkit.heads.linear_head_net import ClassHead, class_labels
from affectkit.interfaces import TaskHead, decode
from affectkit.sequences import Targets
from affectkit_compound.manet_heads import MANetHeadsConfig


class Classifier(ClassHead[Any]):
    """Logits by one half of the feature."""


@final
class MANetHeads(TaskHead[MANetHeadsConfig]):
    """Features `(B, T, 2 D)` to log-probability scores `(B, T, K)` per frame or `(B, K)` per clip.

    Attributes:
        local_part: the classifier of the first half.
        global_part: that of the second.
    """

    def __init__(self, config: MANetHeadsConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        half = replace(stream, dim=stream.dim // 2)
        self.local_part, self.global_part = Classifier(config, half), Classifier(config, half)

    def forward(self, inputs: Sequence) -> Tensor:
        share = self.config.local_share
        halves = inputs.values.chunk(2, dim=-1)
        parts = zip((self.local_part, self.global_part), halves, strict=True)
        local, whole = (part(inputs.with_values(half)).log_softmax(dim=-1) for part, half in parts)
        return share * local + (1 - share) * whole  # type: ignore[no-any-return]

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """Both classifiers' cross-entropy by their shares; the mean over valid labels weighted by their classes."""
        values, valid = class_labels(scores, targets, mask)
        return shared_cross_entropy(
            scores, values, valid, class_weights=self.config.class_weights, label_smoothing=self.config.label_smoothing
        )

    def predict(self, scores: Tensor) -> Tensor:
        """Probabilities of the classes."""
        return decode(scores, "multiclass")


def shared_cross_entropy(
    scores: Tensor,
    values: Tensor,
    valid: Tensor,
    *,
    class_weights: tuple[float, ...] | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`-sum_i sum_c q_ic w_c s_ic / sum_i w_{y_i}` over valid labels, with `q_ic` as in `affectkit.heads.losses`.

    Scores are not normalized again: a share of each classifier's log-probabilities is in them.

    Arguments:
        scores: s, `(..., K)`.
        values: y, class index `(...)`, int64.
        valid: `(...)` bool; what is not valid is never looked at.
        class_weights: w, K of them; None for ones. If every valid label has weight 0, the loss is 0.
        label_smoothing: e in [0, 1).
    """
    classes = scores.shape[-1]
    logs = torch.where(valid.unsqueeze(-1), scores, 0.0)
    labels = values.masked_fill(~valid, 0)
    weights = logs.new_ones(classes) if class_weights is None else logs.new_tensor(class_weights)
    weighted = logs * weights
    chosen = weighted.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    each = -(1 - label_smoothing) * chosen - label_smoothing / classes * weighted.sum(dim=-1)
    total = weights[labels].masked_fill(~valid, 0.0).sum()
    return each.masked_fill(~(valid & (total > 0)), 0.0).sum() / torch.where(total > 0, total, 1.0)
