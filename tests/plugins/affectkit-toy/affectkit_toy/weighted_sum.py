"""Fusion `weighted-sum`: every branch mapped to one width, and added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from affectkit import FeatureStream, FusionConfig, FusionSpec, lazy


@dataclass(frozen=True, kw_only=True)
class WeightedSumConfig(FusionConfig):
    """A linear map of each branch, then their sum with learned weights.

    Attributes:
        dim: width of the sum.
    """

    dim: int = 16

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        return replace(next(iter(streams.values())), dim=self.dim)


SPEC = FusionSpec(
    name="weighted-sum",
    config=WeightedSumConfig,
    factory=lazy("affectkit_toy.weighted_sum_net:WeightedSum"),
    summary="Learned weighted sum of the branches, each mapped to one width.",
)
