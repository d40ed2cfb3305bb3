"""The module of `sharpen`."""

from __future__ import annotations

from torch import Tensor

from affectkit import PredictionStream, ScoreMap
from affectkit_toy.sharpen import SharpenConfig


class Sharpen(ScoreMap[SharpenConfig]):
    """Scores `(..., K)` to scores `(..., K)`."""

    def __init__(self, config: SharpenConfig, stream: PredictionStream) -> None:
        super().__init__(config)

    def forward(self, scores: Tensor) -> Tensor:
        return scores / self.config.temperature
