"""Module of `stacking`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from affectkit.late.rules_net import RuleFusion, log_odds, log_probabilities
from affectkit.late.stacking import StackingConfig
from affectkit.late.stacking_fitting import Stacked
from affectkit.streams import PredictionStream


@final
class StackingFusion(RuleFusion[StackingConfig]):
    """Multiclass `softmax(sum_m W_m log p_m + b)`; multilabel `sigmoid(sum_m w_m logit p_m + b)`; `sum_m w_m x_m + b`.

    Attributes:
        weight: W, `(M, K, K)` as (member, from, to) for multiclass, else w, `(M, K)`.
        bias: b, `(K,)`.
    """

    def __init__(self, config: StackingConfig, streams: Mapping[str, PredictionStream]) -> None:
        super().__init__(config, streams)
        weight, bias = self.mean_start()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def mean_start(self, dtype: torch.dtype = torch.float32) -> Stacked:
        """W and b of the mean, at which training begins: 1/M of every member, and of the same class alone."""
        count, targets = len(self.members), len(self.stream.targets)
        classes = self.stream.problem == "multiclass"
        equal = torch.eye(targets, dtype=dtype) if classes else torch.ones(targets, dtype=dtype)
        return Stacked(equal.repeat(count, *[1] * equal.ndim) / count, torch.zeros(targets, dtype=dtype))

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        values = self.stacked(members)
        if self.stream.problem == "multiclass":
            # not an einsum, which autocast would run in bfloat16
            scores = (log_probabilities(values).unsqueeze(-1) * self.weight).sum(dim=(-3, -2)) + self.bias
            return torch.softmax(scores, dim=-1)
        if self.stream.problem == "multilabel":
            return torch.sigmoid((log_odds(values) * self.weight).sum(dim=-2) + self.bias)
        combined = (values * self.weight).sum(dim=-2) + self.bias
        return combined if self.stream.bounds is None else combined.clamp(*self.stream.bounds)
