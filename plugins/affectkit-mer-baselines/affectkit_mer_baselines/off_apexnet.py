"""A network in the style of OFF-ApexNet: Gan et al., "OFF-ApexNet on micro-expression recognition system", Signal
Processing: Image Communication 74, 2019."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import (
    Branch,
    ConfigError,
    FeaturesConfig,
    FeaturesSpec,
    FeatureStream,
    FrameStream,
    MicroExpressionConfig,
    PipelineConfig,
    PipelineSpec,
    lazy,
    require_channels,
    require_size,
    require_unit,
)
from affectkit_mer_baselines.ststnet import SIZE


@dataclass(frozen=True, kw_only=True)
class OffApexNetConfig(FeaturesConfig):
    """u and v, each through two convolutions of its own, then two wide layers over both; frame by frame.

    A reconstruction: two streams of 5x5 convolutions with 6 and 16 filters, each pooled over 2 pixels, and two layers
    of 1,024 are the paper's; the dropout is ours.

    Attributes:
        dim: width of the two layers, and of the feature.
        dropout: share of the values behind each wide layer that is left out in training.
    """

    dim: int = 1024
    dropout: float = 0.5

    def validate(self) -> None:
        if self.dim < 1:
            raise ConfigError(f"{self.dim!r} is too small", "write 1 or more", path="dim")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is no share", "write 0 or more, and less than 1", path="dropout")

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, ("u", "v"), ("u", "v", "strain"))
        require_unit(stream, "pixel", "iod", "relative")
        require_size(stream, at_least=4)
        return FeatureStream(dim=self.dim, fps=stream.fps, steps=stream.steps)


def make_off_apexnet() -> PipelineConfig:
    """The preset's config: one stored flow map per event."""
    return PipelineConfig(
        input=FrameStream(channels=("u", "v"), unit="relative", height=SIZE, width=SIZE, steps=("event",)),
        branches={"flow": Branch(features=OffApexNetConfig())},
        heads={"micro": MicroExpressionConfig()},
    )


SPEC = FeaturesSpec(
    name="off-apexnet",
    config=OffApexNetConfig,
    factory=lazy("affectkit_mer_baselines.off_apexnet_net:OffApexNet"),
    summary="A stream for u and one for v, then two wide layers (in the style of OFF-ApexNet).",
    citation="Gan et al., OFF-ApexNet, Signal Processing: Image Communication 74, 2019",
)
PRESET = PipelineSpec(
    name="off-apexnet",
    config=make_off_apexnet,
    summary="OFF-ApexNet-style network on a stored flow map, untrained: micro-expressions in three classes.",
    citation=SPEC.citation,
)
