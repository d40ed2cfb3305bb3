"""Temporal encoder `leaky`: a leaky average that can stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from affectkit import FeatureStream, TemporalConfig, TemporalSpec, lazy


@dataclass(frozen=True, kw_only=True)
class LeakyConfig(TemporalConfig):
    """`y_t = a y_(t-1) + (1 - a) W x_t`, with a learned `a` in (0, 1) for each number.

    Attributes:
        dim: width of y.
    """

    dim: int = 16

    @property
    def is_causal(self) -> bool:
        return True

    def output(self, stream: FeatureStream) -> FeatureStream:
        return replace(stream, dim=self.dim)


SPEC = TemporalSpec(
    name="leaky",
    config=LeakyConfig,
    factory=lazy("affectkit_toy.leaky_net:Leaky"),
    summary="Leaky average with a learned rate for each number; streams.",
)
