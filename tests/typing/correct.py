"""What is right, and has no error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import affectkit
from affectkit import (
    Branch,
    ConvStemConfig,
    EnsembleConfig,
    FeatureStream,
    FrameStream,
    GRUConfig,
    MeanFusionConfig,
    PipelineConfig,
    PipelineSpec,
    Sequence,
    TemporalConfig,
    TemporalEncoder,
    TemporalSpec,
    ValenceArousalConfig,
    Windows,
    dial,
    lazy,
)


@dataclass(frozen=True, kw_only=True)
class LeakyConfig(TemporalConfig):
    rate: float = dial(0.5, low=0.0, high=1.0)

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


class Leaky(TemporalEncoder[LeakyConfig]):
    def __init__(self, config: LeakyConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(inputs.values * self.config.rate)


BY_CLASS = TemporalSpec(name="leaky", config=LeakyConfig, factory=Leaky, summary="Leaky.")
BY_NAME = TemporalSpec(name="leaky", config=LeakyConfig, factory=lazy("acme:Leaky"), summary="Leaky.")


def make() -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=32, width=32),
        sampling=Windows(seconds=1.0, hop_seconds=0.5),
        branches={"face": Branch(features=ConvStemConfig(dim=16))},
        temporal=GRUConfig(dim=16),
        heads={"va": ValenceArousalConfig()},
    )


@affectkit.hookimpl
def affectkit_components() -> Iterable[affectkit.TemporalSpec[Any]]:
    yield BY_CLASS


@affectkit.hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    yield PipelineSpec(name="calm", config=make, summary="Calm.")


ensemble = EnsembleConfig(members={"a": make(), "b": make()}, fusion=MeanFusionConfig())
scores: int = len(ensemble.trace().outputs)
