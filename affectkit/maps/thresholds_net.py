"""Module of `thresholds`: `score - threshold`, so that decoding, which cuts at 0, stays as it is."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.interfaces import ScoreMap
from affectkit.maps.thresholds import ThresholdsConfig
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream


@final
class Thresholds(ScoreMap[ThresholdsConfig]):
    """Logits `(B, T, K)` to logits `(B, T, K)`.

    Attributes:
        thresholds: `(K,)` float32, scores of the source from which on a target counts as present; 0 until they are set.
    """

    thresholds: Tensor

    def __init__(self, config: ThresholdsConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        self.register_buffer("thresholds", torch.zeros(len(stream.targets)))

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values - self.thresholds.to(inputs.values.dtype))
