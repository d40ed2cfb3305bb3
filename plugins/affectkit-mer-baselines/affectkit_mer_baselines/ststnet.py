"""STSTNet: the shallow three-stream network of Liong et al., "Shallow triple stream three-dimensional CNN (STSTNet) for
micro-expression recognition", FG 2019."""

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

CHANNELS = ("u", "v", "strain")
# filters of the three streams
WIDTHS = (3, 5, 8)
# What the papers of both networks put in; at other sizes only the classifier's width changes.
SIZE = 28


@dataclass(frozen=True, kw_only=True)
class STSTNetConfig(FeaturesConfig):
    """Flow and strain to the maps of three small convolutions beside each other, flattened; frame by frame.

    With 28 x 28 pixels these are 400 features; with a classifier of three classes there are 1,683 parameters, as the
    paper has it. The order of ReLU and normalization, and the dropout, are after the authors' published code.

    Attributes:
        dropout: share of the values behind each stream's pooling that is left out in training.
    """

    dropout: float = 0.5

    def validate(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is no share", "write 0 or more, and less than 1", path="dropout")

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, CHANNELS)
        require_unit(stream, "pixel", "iod", "relative")
        require_size(stream, at_least=6)
        height, width = (pooled(size) for size in (stream.height, stream.width))
        return FeatureStream(dim=sum(WIDTHS) * height * width, fps=stream.fps, steps=stream.steps)


def pooled(size: int) -> int:
    """A side behind the pooling over 3 pixels, with a border of one, and that over 2."""
    return ((size - 1) // 3 + 1) // 2


def make_ststnet() -> PipelineConfig:
    """The preset's config: one stored map of flow and strain per event."""
    return PipelineConfig(
        input=FrameStream(channels=CHANNELS, unit="relative", height=SIZE, width=SIZE, steps=("event",)),
        branches={"flow": Branch(features=STSTNetConfig())},
        heads={"micro": MicroExpressionConfig()},
    )


SPEC = FeaturesSpec(
    name="ststnet",
    config=STSTNetConfig,
    factory=lazy("affectkit_mer_baselines.ststnet_net:STSTNet"),
    summary="Three shallow streams on flow and strain (STSTNet).",
    citation="Liong et al., STSTNet, FG 2019",
)
PRESET = PipelineSpec(
    name="ststnet",
    config=make_ststnet,
    summary="STSTNet on a stored map of flow and strain, untrained: micro-expressions in three classes.",
    citation=SPEC.citation,
)
