"""Module of `smooth`. What is averaged is what a person reads: probabilities, or values within their bounds."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.interfaces import ScoreMap
from affectkit.maps.smooth import SmoothConfig
from affectkit.ops.smoothing import smooth_steps
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream


@final
class Smooth(ScoreMap[SmoothConfig]):
    """Scores `(B, T, K)` to scores `(B, T, K)`: log-probabilities, logits, or values within the bounds."""

    def __init__(self, config: SmoothConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        self.stream = stream

    @property
    def can_stream(self) -> bool:
        return False

    def forward(self, inputs: Sequence) -> Sequence:
        scores = inputs.values.to(torch.promote_types(inputs.values.dtype, torch.float32))
        if self.stream.problem == "multiclass":
            return inputs.with_values(_log(self._mean(inputs, torch.softmax(scores, dim=-1))))
        if self.stream.problem == "multilabel":
            # the complement is averaged on its own: 1 - p has no digits left where p is near 1
            present, absent = (self._mean(inputs, torch.sigmoid(part)) for part in (scores, -scores))
            return inputs.with_values(_log(present) - _log(absent))
        bounds = self.stream.bounds
        return inputs.with_values(self._mean(inputs, scores if bounds is None else scores.clamp(*bounds)))

    def _mean(self, inputs: Sequence, values: Tensor) -> Tensor:
        positions = inputs.times / self.config.time_unit
        return smooth_steps(values, positions, inputs.mask, sigma=self.config.sigma, delta=self.config.delta)


def _log(p: Tensor) -> Tensor:
    # finite where every neighbor says 0
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()
