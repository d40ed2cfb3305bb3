"""Module of `compound-learned`: `softmax(W log p + b)`, where p are the probabilities of the basic expressions.

With W_ka = W_kb = 1 for compound k of basics a and b, and 0 elsewhere, this is the product rule p_a p_b.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from affectkit.data.labels import COMPOUND_BASICS
from affectkit.interfaces import ScoreMap
from affectkit.maps.compound_learned import CompoundLearnedConfig
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream

# Log-probabilities below this one tell nothing more: without an end, one sure frame would outweigh all others in a fit.
LOWEST = -20.0


@final
class CompoundLearned(ScoreMap[CompoundLearnedConfig]):
    """Scores of basic expressions `(B, T, K)` to log-probabilities of compounds `(B, T, K')`.

    Attributes:
        weight: W, `(K', K)` float32.
        bias: b, `(K',)` float32.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, config: CompoundLearnedConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        self.register_buffer("weight", product_weight(config, stream))
        self.register_buffer("bias", torch.zeros(len(config.targets)))

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.combine(inputs.values))

    def combine(self, scores: Tensor) -> Tensor:
        """Scores `(..., K)` alone, without mask and times, to log-probabilities `(..., K')`."""
        log_p = basic_features(scores)
        # not a matrix product, which autocast would run in bfloat16
        combined = (log_p.unsqueeze(-2) * self.weight.to(log_p.dtype)).sum(dim=-1) + self.bias.to(log_p.dtype)
        return torch.log_softmax(combined, dim=-1)


def basic_features(scores: Tensor) -> Tensor:
    """What the map is linear in: log-probabilities `(..., K)` of raw scores, at least float32, not below `LOWEST`."""
    return torch.log_softmax(scores.to(torch.promote_types(scores.dtype, torch.float32)), dim=-1).clamp(min=LOWEST)


def product_weight(config: CompoundLearnedConfig, stream: PredictionStream) -> Tensor:
    """W of the product rule, `(K', K)`."""
    weight = torch.zeros(len(config.targets), len(stream.targets))
    for row, name in enumerate(config.targets):
        weight[row, [stream.targets.index(basic) for basic in COMPOUND_BASICS[name]]] = 1
    return weight
