"""Module of `compound-from-basic`.

`p_ab` is `p_a + p_b`, `p_a p_b` or `min(p_a, p_b)`, divided by its sum over the compounds. All three are homogeneous in
p, so what the basics outside every pair (neutral) take of the probability cancels.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.data.labels import COMPOUND_BASICS
from affectkit.interfaces import ScoreMap
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream

# Lowest log-probability, for scores of minus infinity; a product of two stays far within float32.
FLOOR = -1e4


@final
class CompoundFromBasic(ScoreMap[CompoundFromBasicConfig]):
    """Scores of basic expressions `(B, T, K)` to log-probabilities of compounds `(B, T, K')`."""

    def __init__(self, config: CompoundFromBasicConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        pairs = [COMPOUND_BASICS[name] for name in config.targets]
        self.first = [stream.targets.index(a) for a, _ in pairs]
        self.second = [stream.targets.index(b) for _, b in pairs]

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.combine(inputs.values))

    def combine(self, scores: Tensor) -> Tensor:
        """Scores `(..., K)` alone, without mask and times, to log-probabilities `(..., K')`."""
        log_p = torch.log_softmax(scores.to(torch.promote_types(scores.dtype, torch.float32)), dim=-1).clamp(min=FLOOR)
        log_a, log_b = log_p[..., self.first], log_p[..., self.second]
        if self.config.rule == "sum":
            # log(p_a + p_b) without leaving logarithms; of two infinities its gradient would be NaN, hence the floor
            combined = torch.logaddexp(log_a, log_b)
        elif self.config.rule == "product":
            combined = log_a + log_b
        else:
            combined = torch.minimum(log_a, log_b)
        return torch.log_softmax(combined, dim=-1)
