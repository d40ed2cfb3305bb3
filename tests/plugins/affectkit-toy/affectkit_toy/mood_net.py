"""The module of `mood`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affectkit import FeatureStream, Sequence, Targets, TaskHead
from affectkit_toy.mood import MoodConfig


class Mood(TaskHead[MoodConfig]):
    """Features `(B, T, D)` to logits `(B, T, K)`."""

    def __init__(self, config: MoodConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(stream.dim, len(config.targets))

    def forward(self, inputs: Sequence) -> Tensor:
        real = torch.where(inputs.mask.unsqueeze(-1), inputs.values, torch.zeros_like(inputs.values))
        scores: Tensor = self.linear(real)
        return scores.float()

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """Binary cross-entropy, the mean over valid labels of real frames."""
        valid = targets.valid & mask.unsqueeze(-1)
        labels = torch.where(valid, targets.values, torch.zeros_like(targets.values))
        each = F.binary_cross_entropy_with_logits(scores, labels, reduction="none")
        return torch.where(valid, each, torch.zeros_like(each)).sum() / valid.sum().clamp(min=1)

    def predict(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores)
