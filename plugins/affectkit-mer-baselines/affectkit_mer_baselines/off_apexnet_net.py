"""The module of `off-apexnet`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectkit import FeatureExtractor, FrameStream, Sequence
from affectkit_mer_baselines.off_apexnet import OffApexNetConfig
from affectkit_mer_baselines.real import of_real_frames

_FILTERS = (6, 16)


class OffApexNet(FeatureExtractor[OffApexNetConfig]):
    """Maps `(B, T, 2 or 3, H, W)` of u, v and, not looked at, strain to features `(B, T, dim)`; zero for padding."""

    def __init__(self, config: OffApexNetConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        first, second = _FILTERS
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(1, first, kernel_size=5, padding=2),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(first, second, kernel_size=5, padding=2),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
            )
            for _ in ("u", "v")
        )
        width = 2 * second * (stream.height // 4) * (stream.width // 4)
        self.wide = nn.Sequential(
            nn.Linear(width, config.dim), nn.ReLU(), nn.Dropout(config.dropout),
            nn.Linear(config.dim, config.dim), nn.ReLU(), nn.Dropout(config.dropout),
        )  # fmt: skip

    def forward(self, inputs: Sequence) -> Sequence:
        return of_real_frames(inputs, self._features, self.config.dim)

    def _features(self, maps: Tensor) -> Tensor:
        both = [stream(maps[:, at : at + 1]) for at, stream in enumerate(self.streams)]
        features: Tensor = self.wide(torch.cat(both, dim=1))
        return features
