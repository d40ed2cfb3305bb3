"""The module of `grid`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from affectkit import FeatureExtractor, FrameStream, Sequence
from affectkit_toy.grid import GridConfig


class Grid(FeatureExtractor[GridConfig]):
    """Frames `(B, T, C, H, W)` to features `(B, T, dim)`; zero for padding."""

    def __init__(self, config: GridConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(len(stream.channels) * config.cells**2, config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        mask = inputs.mask[:, :, None]
        frames = torch.where(mask[..., None, None], inputs.values, torch.zeros_like(inputs.values))
        cells = F.adaptive_avg_pool2d(frames.flatten(0, 1), self.config.cells).reshape(*inputs.mask.shape, -1)
        return inputs.with_values(self.linear(cells).masked_fill(~mask, 0.0))
