"""Feature extractor `fmanet-backbone`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit import (
    ConfigError,
    FeaturesConfig,
    FeaturesSpec,
    FeatureStream,
    FrameStream,
    lazy,
    require_channels,
    require_size,
    require_steps,
    require_unit,
)

PHASES = ("contraction", "relaxation")


@dataclass(frozen=True, kw_only=True)
class FMANetConfig(FeaturesConfig):
    """Flow of two phases to one vector per event (FMANet, arXiv 2510.07810).

    The paper states two streams, one per phase, an adaptive fusion of them, and a soft, learnable attention to
    magnitude. Layers, widths and formulas are not stated where we could read it: all of the fields are our
    reconstruction, and each part can be switched off to see what it brings.

    Attributes:
        dim: width of the feature.
        width: channels of each stream's first convolution; the second has twice as many.
        cells: per side, into which a picture is divided before the last layer, so that it is known where something
            moved; 1 for the mean over the picture.
        phases: `both`, or the first one alone (`contraction`).
        is_shared: whether the streams share their weights.
        fusion: `attention`, a softmax over the phases at every place; their `mean`; or both side by side (`concat`).
        modulation: of the flow by its magnitude before the streams: `soft`, with threshold, steepness and gains learned
            within limits; `hard`, with fixed ones; or `none`.
        has_motion_attention: whether places are weighed by their features and magnitudes after the fusion.
        dropout: share of what goes into the last layer that is left out in training.
        is_mirrored: whether features, once trained, are means of those of a clip and of its mirror image. For training
            with clips that are flipped at random.
    """

    dim: int = 64
    width: int = 16
    cells: int = 7
    phases: Literal["both", "contraction"] = "both"
    is_shared: bool = False
    fusion: Literal["attention", "mean", "concat"] = "attention"
    modulation: Literal["soft", "hard", "none"] = "soft"
    has_motion_attention: bool = True
    dropout: float = 0.5
    is_mirrored: bool = False

    def validate(self) -> None:
        for name in ("dim", "width", "cells"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too small", "write 1 or more", path=name)
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is no share", "write 0 or more, and less than 1", path="dropout")

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, ("u", "v"), ("u", "v", "strain"))
        require_unit(stream, "pixel", "iod", "relative")
        require_steps(stream, PHASES, PHASES[:1])
        if self.phases == "both" and len(stream.steps) == 1:
            fact = "the input has the contraction alone"
            raise ConfigError(fact, "write phases='contraction', or give both", path="phases")
        require_size(stream, at_least=8)
        return FeatureStream(dim=self.dim, fps=stream.fps, steps=("event",))


SPEC = FeaturesSpec(
    name="fmanet-backbone",
    config=FMANetConfig,
    factory=lazy("affectkit_fmanet.backbone_net:FMANet"),
    summary="Two streams on the flow of both phases, fused by attention, with learnable modulation (FMANet).",
    citation="arXiv 2510.07810",
)
