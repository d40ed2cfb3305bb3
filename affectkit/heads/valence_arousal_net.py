"""Module of `valence-arousal`. Loss of the ABAW lineage (arXiv 2203.13032): `1 - mean CCC`, and some MSE."""

from __future__ import annotations

from typing import final

from torch import Tensor

from affectkit.heads.linear_head_net import LinearHead, squash, value_labels
from affectkit.heads.losses import concordance_loss, squared_error
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.sequences import Sequence, Targets


@final
class ValenceArousalHead(LinearHead[ValenceArousalConfig]):
    """Values within `config.bounds`, `(B, T, K)` per frame or `(B, K)` per clip."""

    def forward(self, inputs: Sequence) -> Tensor:
        return squash(super().forward(inputs), self.config.bounds)

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """`1 - mean CCC` over all valid labels of the batch pooled, plus `mse_weight` times their MSE."""
        values, valid = value_labels(scores, targets, mask, self.config.bounds)
        # the CCC punishes a wrong scale and offset, so it must see what will be predicted
        decoded = self.predict(scores)
        error = squared_error(decoded, values, valid)
        return concordance_loss(decoded, values, valid) + self.config.mse_weight * error

    def predict(self, scores: Tensor) -> Tensor:
        """The scores, clamped to the bounds that a score map may have left."""
        return scores.clamp(*self.config.bounds)
