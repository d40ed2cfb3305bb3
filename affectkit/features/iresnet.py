"""Residual networks for faces as ArcFace trains them: the encoder of identities, and, trained on AU labels, of AUs.

Blocks and depths are those of the improved residual unit (Deng et al. 2019, arXiv 1801.07698, section 3.1.1) as in the
public code of its authors; `small` is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from affectkit.configs import FeaturesConfig
from affectkit.errors import ConfigError
from affectkit.specs import FeaturesSpec, lazy
from affectkit.streams import RGB, FeatureStream, FrameStream, require_channels, require_size, require_unit

SizeName = Literal["small", "18", "34", "50", "100"]


class Size(NamedTuple):
    """Channels and blocks of each of the four stages, and the width of the feature."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    dim: int


def _published(*depths: int) -> Size:
    return Size((64, 128, 256, 512), depths, 512)


SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size((16, 32, 64, 96), (1, 1, 1, 1), 64),
    "18": _published(2, 2, 2, 2),
    "34": _published(3, 4, 6, 3),
    "50": _published(3, 4, 14, 3),
    "100": _published(3, 13, 30, 3),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class IResNetConfig(FeaturesConfig):
    """Aligned faces in RGB to one vector each, by four stages of residual blocks and a linear map of the last map.

    Intensities in [0, 1] are mapped to [-1, 1] inside. Sides are multiples of 16, of 32 pixels at the least, and the
    linear map is built for them: published weights fit 112x112. The feature is not scaled to unit length.

    Attributes:
        size: `18`, `34`, `50` and `100` as published, 512 features; `small`, 64 features, for a CPU.
        dropout: share of values dropped in training before the linear map, in [0, 1).
        frozen: whether the network keeps its weights, and its batch statistics, in training.
    """

    size: SizeName = "50"
    dropout: float = 0.0
    frozen: bool = False

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    def validate(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"{self.dropout!r} is not in [0, 1)", "write 0 for none", path="dropout")

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, RGB)
        require_unit(stream, "intensity")
        require_size(stream, at_least=32, multiple_of=16)
        return FeatureStream(dim=SIZES[self.size].dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="iresnet",
    config=IResNetConfig,
    factory=lazy("affectkit.features.iresnet_net:IResNet"),
    summary="Residual networks for aligned faces, as ArcFace trains them; an encoder of AUs, if trained on these.",
    example=IResNetConfig(size="small"),
    citation="Deng et al. 2019, arXiv 1801.07698",
)
