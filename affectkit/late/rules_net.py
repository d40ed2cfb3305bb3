"""Modules of the late fusions without parameters: `mean`, `weighted`, `product`, `vote`.

Each takes `{member: (..., K)}` and returns `(..., K)`; M is the number of members, stacked before K.
Plain products and sums, no matrix product: autocast would round probabilities to bfloat16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, final

import torch
from torch import Tensor

from affectkit.configs import LateFusionConfig
from affectkit.interfaces import LateFusion
from affectkit.late.joining import joined_stream
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.product import ProductFusionConfig
from affectkit.late.vote import VoteFusionConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.streams import PredictionStream

C = TypeVar("C", bound=LateFusionConfig)

# Lowest probability, so that a logarithm stays finite; near the last step that float32 makes before 1.
TINY = 1e-7
# Weight of the mean probability against one vote. Below 1, so that it decides nothing but ties.
TIE_BREAK = 0.01


class RuleFusion(LateFusion[C]):
    """Base: knows the problem that its members solve, and their names.

    Attributes:
        stream: what comes out.
        members: names, in the order in which they are stacked.
    """

    def __init__(self, config: C, streams: Mapping[str, PredictionStream]) -> None:
        super().__init__(config)
        self.stream = joined_stream(streams)
        self.members = tuple(streams)

    def present(self, members: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Names of the members at hand, in the order of the build; all of them unless the rule `can_leave_out` some."""
        if not self.config.can_leave_out:
            return self.members
        return tuple(name for name in self.members if name in members)

    def stacked(self, members: Mapping[str, Tensor]) -> Tensor:
        """`(..., M, K)`."""
        # By the names of the build: the mapping at hand may be in another order, and weights go by position.
        return torch.stack([members[name] for name in self.present(members)], dim=-2)


@final
class MeanFusion(RuleFusion[MeanFusionConfig]):
    """`1/M sum_m p_m`."""

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        return self.stacked(members).mean(dim=-2)


@final
class WeightedFusion(RuleFusion[WeightedFusionConfig]):
    """`sum_m w_m p_m / sum_m w_m`."""

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        values = self.stacked(members)
        # scaled before they become tensors: float32 holds neither 1e-50 nor 1e50
        largest = max(self.config.weights.values())
        weights = values.new_tensor([self.config.weights[name] / largest for name in self.present(members)])
        return (values * weights.unsqueeze(-1)).sum(dim=-2) / weights.sum()


@final
class ProductFusion(RuleFusion[ProductFusionConfig]):
    """Multiclass `softmax(sum_m log p_m)`; multilabel `sigmoid(sum_m logit p_m)`; or with means for sums."""

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        values = self.stacked(members)
        is_multiclass = self.stream.problem == "multiclass"
        logs = log_probabilities(values) if is_multiclass else log_odds(values)
        # In logarithms: a product of small probabilities would underflow before it is renormalized.
        total = logs.mean(dim=-2) if self.config.geometric else logs.sum(dim=-2)
        return torch.softmax(total, dim=-1) if is_multiclass else torch.sigmoid(total)


@final
class VoteFusion(RuleFusion[VoteFusionConfig]):
    """`(votes + d mean) / (M + d)` with d = 0.01."""

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        values = self.stacked(members)
        if self.stream.problem == "multiclass":
            # A vote has no gradient; the mean below is what the members learn by.
            votes = torch.nn.functional.one_hot(values.argmax(dim=-1), values.shape[-1])
        else:
            votes = values >= 0.5
        return (votes.sum(dim=-2) + TIE_BREAK * values.mean(dim=-2)) / (values.shape[-2] + TIE_BREAK)


def log_probabilities(values: Tensor) -> Tensor:
    """`log p`, finite at 0."""
    return values.clamp(min=TINY).log()


def log_odds(values: Tensor) -> Tensor:
    """`log(p / (1 - p))`, finite at 0 and 1, and there of the same size: a sure yes and a sure no cancel."""
    # Not `log(p / (1 - p))`, which divides by zero at 1.
    return log_probabilities(values) - log_probabilities(1 - values)
