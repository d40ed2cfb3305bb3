"""Feature extractor `poster`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from affectkit import FeaturesSpec, FeatureStream, FrameStream, lazy
from affectkit_abaw7.face_encoder import FaceEncoderConfig, SizeName, require_face


class Size(NamedTuple):
    """What a size stands for.

    Attributes:
        side: of the faces in pixels.
        widths: channels of the image branch by stage.
        depths: blocks of the image branch by stage.
        landmark_widths: channels of the landmark branch at its two scales; the last map has `dim`.
        landmark_depths: blocks of the landmark branch by stage, after the one that halves the map.
        dim: width of the tokens, and of the feature.
        heads: of the attention, at each of the pyramid's three widths.
        depth: blocks of the pyramid.
    """

    side: int
    widths: tuple[int, int, int]
    depths: tuple[int, int, int]
    landmark_widths: tuple[int, int]
    landmark_depths: tuple[int, int, int]
    dim: int
    heads: int
    depth: int


SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size(64, (16, 32, 64), (1, 1, 2), (16, 32), (1, 1, 1), 64, 4, 2),
    "published": Size(112, (64, 128, 256), (3, 4, 14), (64, 128), (4, 6, 2), 512, 8, 8),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class POSTERConfig(FaceEncoderConfig):
    """Aligned faces in RGB to one vector each, by attention between image and landmark tokens at three widths (POSTER).

    Faces have the size's side, 112 or 64 pixels, or twice that, of which every second pixel is read, as the public code
    does. They are normalized inside. `published`, the deepest of the public code's three, has 512 features; `small` has
    64, and is none of the three.
    """

    def output(self, stream: FrameStream) -> FeatureStream:
        size = SIZES[self.size]
        require_face(stream, size.side)
        return FeatureStream(dim=size.dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="poster",
    config=POSTERConfig,
    factory=lazy("affectkit_abaw7.poster_net:POSTER"),
    summary="Image and landmark tokens ask each other, in a pyramid of three widths (POSTER).",
    example=POSTERConfig(size="small"),
    citation="Zheng et al. 2022, arXiv 2204.04083",
)
