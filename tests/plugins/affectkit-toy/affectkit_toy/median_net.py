"""The module of `median`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit import LateFusion, PredictionStream
from affectkit_toy.median import MedianConfig


class Median(LateFusion[MedianConfig]):
    """`{member: (..., K)}` to `(..., K)`; of two members the mean."""

    def __init__(self, config: MedianConfig, members: Mapping[str, PredictionStream]) -> None:
        super().__init__(config)
        self.is_multiclass = next(iter(members.values())).problem == "multiclass"

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        values = torch.stack(list(members.values())).sort(dim=0).values
        count = len(values)
        middle = (values[(count - 1) // 2] + values[count // 2]) / 2
        if not self.is_multiclass:
            return middle
        total = middle.sum(dim=-1, keepdim=True)
        # three members that are certain of three classes leave nothing in the middle
        even = torch.full_like(middle, 1 / middle.shape[-1])
        return torch.where(total > 0, middle / total.clamp(min=1e-12), even)
