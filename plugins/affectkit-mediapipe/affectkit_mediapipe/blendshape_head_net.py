"""Module of `blendshapes`."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit import FeatureStream, Sequence, Targets, TaskHead
from affectkit.heads.linear_head_net import value_labels
from affectkit.heads.losses import squared_error
from affectkit_mediapipe.blendshape_head import BOUNDS, TARGETS, BlendshapesConfig


@final
class BlendshapesHead(TaskHead[BlendshapesConfig]):
    """Features `(B, T, 52)` to float32 scores `(B, T, K)`; zeros for padding."""

    def __init__(self, config: BlendshapesConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self._indexes = [TARGETS.index(name) for name in config.targets]

    def forward(self, inputs: Sequence) -> Tensor:
        shapes = inputs.values.masked_fill(~inputs.mask.unsqueeze(-1), 0.0)
        shapes = shapes.to(torch.promote_types(shapes.dtype, torch.float32))
        found = shapes.any(dim=-1, keepdim=True).to(shapes.dtype)
        return torch.cat([shapes, found], dim=-1)[..., self._indexes]

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """Mean squared error over the valid labels, which are in [0, 1]: nothing to train by, and a measure."""
        values, valid = value_labels(scores, targets, mask, BOUNDS)
        return squared_error(self.predict(scores), values, valid)

    def predict(self, scores: Tensor) -> Tensor:
        """The scores, clamped to [0, 1]."""
        return scores.clamp(*BOUNDS)
