"""Module of `temperature`: `softmax(z / T)`, or `sigmoid(z / T)` (Guo et al. 2017, section 4.2)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.interfaces import ScoreMap
from affectkit.maps.temperature import TemperatureConfig
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream


@final
class Temperature(ScoreMap[TemperatureConfig]):
    """Scores `(B, T, K)` to scores `(B, T, K)`.

    Attributes:
        temperature: T, `()` float32; 1 until it is set.
    """

    temperature: Tensor

    def __init__(self, config: TemperatureConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values / self.temperature.to(inputs.values.dtype))
