"""The module of `ststnet`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectkit import FeatureExtractor, FrameStream, Sequence
from affectkit_mer_baselines.real import of_real_frames
from affectkit_mer_baselines.ststnet import CHANNELS, WIDTHS, STSTNetConfig


class STSTNet(FeatureExtractor[STSTNetConfig]):
    """Maps `(B, T, 3, H, W)` of u, v, strain to features `(B, T, D)`, 400 for 28 x 28 pixels; zero for padding."""

    def __init__(self, config: STSTNetConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.dim = config.output(stream).dim
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(len(CHANNELS), width, kernel_size=3, padding=1),
                nn.ReLU(),
                nn.BatchNorm2d(width),
                nn.MaxPool2d(3, stride=3, padding=1),
                nn.Dropout(config.dropout),
            )
            for width in WIDTHS
        )
        self.pool = nn.AvgPool2d(2)

    def forward(self, inputs: Sequence) -> Sequence:
        return of_real_frames(inputs, self._features, self.dim)

    def _features(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.pool(torch.cat([stream(maps) for stream in self.streams], dim=1))
        return joined.flatten(1)
