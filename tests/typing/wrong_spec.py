"""Specs that a type checker refuses."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import (
    FeatureStream,
    FrameStream,
    GRUConfig,
    HeadSpec,
    MotionConfig,
    MotionFrontEnd,
    PipelineSpec,
    Sequence,
    TemporalConfig,
    TemporalEncoder,
    TemporalSpec,
    ValenceArousalConfig,
)


@dataclass(frozen=True, kw_only=True)
class LeakyConfig(TemporalConfig):
    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


@dataclass(frozen=True, kw_only=True)
class BlurConfig(MotionConfig):
    def output(self, stream: FrameStream) -> FrameStream:
        return stream


class Leaky(TemporalEncoder[LeakyConfig]):
    def __init__(self, config: LeakyConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs


class Blur(MotionFrontEnd[BlurConfig]):
    def __init__(self, config: BlurConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs


class NoStream(TemporalEncoder[LeakyConfig]):
    def forward(self, inputs: Sequence) -> Sequence:
        return inputs


# A class of another interface as the factory.
TemporalSpec(name="leaky", config=LeakyConfig, factory=Blur, summary="Leaky.")  # expect: arg-type
# The factory of another config.
TemporalSpec(name="leaky", config=GRUConfig, factory=Leaky, summary="Leaky.")  # expect: arg-type
# A factory that takes no stream.
TemporalSpec(name="leaky", config=LeakyConfig, factory=NoStream, summary="Leaky.")  # expect: arg-type
# A factory named by text.
TemporalSpec(name="leaky", config=LeakyConfig, factory="acme:Leaky", summary="Leaky.")  # expect: arg-type
# A config of another kind.
HeadSpec(name="leaky", config=LeakyConfig, factory=Leaky, summary="Leaky.")  # expect: type-var, arg-type
# An instance as the config class.
TemporalSpec(name="leaky", config=LeakyConfig(), factory=Leaky, summary="Leaky.")  # expect: arg-type
# An example of another class.
HEAD = ValenceArousalConfig()
TemporalSpec(name="leaky", config=LeakyConfig, factory=Leaky, summary="Leaky.", example=HEAD)  # expect: arg-type
# A misspelt attribute.
TemporalSpec(name="leaky", config=LeakyConfig, factory=Leaky, sumary="Leaky.")  # expect: call-arg
# A preset that is made already.
PipelineSpec(name="calm", config=LeakyConfig(), summary="Calm.")  # expect: arg-type


class Wrong(TemporalEncoder[BlurConfig]):
    # The wrong thing comes out.
    def forward(self, inputs: Sequence) -> FeatureStream:  # expect: override
        return FeatureStream(dim=inputs.values.shape[-1])
