"""The module of `weighted-sum`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from affectkit import FeatureStream, Fusion, Sequence
from affectkit_toy.weighted_sum import WeightedSumConfig


class WeightedSum(Fusion[WeightedSumConfig]):
    """Features `(B, T, D_i)` by branch to `(B, T, dim)`; zero for padding."""

    def __init__(self, config: WeightedSumConfig, streams: Mapping[str, FeatureStream]) -> None:
        super().__init__(config)
        self.maps = nn.ModuleList(nn.Linear(stream.dim, config.dim) for stream in streams.values())
        self.weights = nn.Parameter(torch.ones(len(streams)))
        self.branches = tuple(streams)

    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        first = inputs[self.branches[0]]
        mask = first.mask.unsqueeze(-1)
        total = torch.zeros((), dtype=self.weights.dtype)
        for name, linear, weight in zip(self.branches, self.maps, self.weights, strict=True):
            values = inputs[name].values
            total = total + weight * linear(torch.where(mask, values, torch.zeros_like(values)))
        return first.with_values(total.masked_fill(~mask, 0.0))
