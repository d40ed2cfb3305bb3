"""Module of `action-units`."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.heads.action_units import INTENSITY_BOUNDS, INTENSITY_LOSSES, OCCURRENCE_LOSSES, ActionUnitsConfig
from affectkit.heads.linear_head_net import LinearHead, squash, value_labels
from affectkit.heads.losses import asymmetric, binary_cross_entropy, smooth_l1, squared_error
from affectkit.interfaces import decode
from affectkit.sequences import Sequence, Targets


@final
class ActionUnitsHead(LinearHead[ActionUnitsConfig]):
    """Logits of occurrence, or intensities in [0, 5]; `(B, T, K)` per frame or `(B, K)` per clip."""

    def forward(self, inputs: Sequence) -> Tensor:
        scores = super().forward(inputs)
        return squash(scores, INTENSITY_BOUNDS) if self.config.intensity else scores

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """The configured loss, averaged over the valid labels of the batch.

        Labels of occurrence are 0, 1 or a share between them; labels of intensity are levels in [0, 5].
        """
        if self.config.intensity:
            values, valid = value_labels(scores, targets, mask, INTENSITY_BOUNDS)
            error = smooth_l1 if (self.config.loss or INTENSITY_LOSSES[0]) == "smooth-l1" else squared_error
            # on what is predicted: a score map may have moved the scores out of the bounds
            return error(self.predict(scores), values, valid)
        values, valid = value_labels(scores, targets, mask, (0.0, 1.0))
        loss = asymmetric if (self.config.loss or OCCURRENCE_LOSSES[0]) == "asymmetric" else binary_cross_entropy
        # from the config at each call, not a buffer: a dial that is set later counts
        return loss(scores, values, valid, torch.tensor(self.config.weights, device=scores.device))

    def predict(self, scores: Tensor) -> Tensor:
        """Probabilities of occurrence, or intensities clamped to [0, 5]."""
        return scores.clamp(*INTENSITY_BOUNDS) if self.config.intensity else decode(scores, "multilabel")
