"""The module of `sharpen`."""

from __future__ import annotations

from affectkit import PredictionStream, ScoreMap, Sequence
from affectkit_toy.sharpen import SharpenConfig


class Sharpen(ScoreMap[SharpenConfig]):
    """Scores `(B, T, K)` to scores `(B, T, K)`."""

    def __init__(self, config: SharpenConfig, stream: PredictionStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values / self.config.temperature)
