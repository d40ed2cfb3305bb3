"""A small convolutional network, for motion maps and for tests: no pretrained weights, any channels, any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import FeaturesConfig
from affectkit.errors import ConfigError
from affectkit.specs import FeaturesSpec, lazy
from affectkit.streams import FeatureStream, FrameStream


@dataclass(frozen=True, kw_only=True)
class ConvStemConfig(FeaturesConfig):
    """Strided 3x3 convolutions that double the channels and halve the picture, then the mean over each cell of it.

    Attributes:
        dim: width of the feature.
        width: channels after the first convolution.
        depth: convolutions.
        cells: per side, into which the picture is divided before the last layer, so that it is known where something
            is; 1 for the mean over the picture.
        norm: `group` normalization after every convolution but the first, or `none`. It looks at one frame alone, so
            clips of a batch do not mix. The first has none, so that strong motion stays told from weak.
    """

    dim: int = 64
    width: int = 16
    depth: int = 3
    cells: int = 1
    norm: Literal["group", "none"] = "group"

    def validate(self) -> None:
        for name in ("dim", "width", "depth", "cells"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too small", "write 1 or more", path=name)

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="conv-stem",
    config=ConvStemConfig,
    factory=lazy("affectkit.features.conv_stem_net:ConvStem"),
    summary="Small strided convolutional network, averaged over the picture or within its cells.",
)
