"""Feature extractor `manet`: MA-Net of Zhao, Liu and Wang (IEEE Transactions on Image Processing 30, 2021).

Stated in accounts of it: the first two stages of ResNet-18 for all; a global branch of multi-scale blocks; a local
branch of four quadrants with attention (CBAM, arXiv 1807.06521); two classifiers, of which the local one counts 0.6.
Widths, depths, strides and the order within the blocks are read in the public code (zengqunzhao/MA-Net). `small` is
ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from affectkit import FeaturesSpec, FeatureStream, FrameStream, lazy
from affectkit_compound.member import MemberConfig, SizeName, require_face


class Size(NamedTuple):
    """What a size stands for.

    Attributes:
        side: of the faces in pixels.
        widths: channels of the four stages; the first two are shared, the last two are those of both branches.
        depths: blocks of the same.
        reduction: by which the hidden layer of a channel gate is narrower than its maps.
    """

    side: int
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    reduction: int


SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size(112, (16, 24, 48, 64), (1, 1, 1, 1), 4),
    "published": Size(224, (64, 128, 256, 512), (2, 2, 2, 2), 16),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MANetConfig(MemberConfig):
    """Faces in RGB to one vector each: what the four quadrants show, then what the whole face shows (MA-Net).

    Faces have the size's side, 224 or 112 pixels, and are not normalized: the public code scales them to [0, 1] alone.
    The first half of the feature is local, the second global, of 512 values each in `published` and 64 in `small`.
    `MANetHeadsConfig` scores them as published.
    """

    @property
    def side(self) -> int:
        return SIZES[self.size].side

    def output(self, stream: FrameStream) -> FeatureStream:
        require_face(stream, self.side)
        return FeatureStream(dim=2 * SIZES[self.size].widths[-1], fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="manet",
    config=MANetConfig,
    factory=lazy("affectkit_compound.manet_net:MANet"),
    summary="Four quadrants with attention, and the whole face at several scales (MA-Net).",
    example=MANetConfig(size="small"),
    citation="Zhao et al. 2021, IEEE Transactions on Image Processing 30, 6544-6556",
)
