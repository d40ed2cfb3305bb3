"""Feature extractor `poster2`."""

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
        widths: channels of the image branch at its three scales; the landmark branch has as many, and twice the last.
        depths: blocks of the image branch by scale.
        landmark_depths: blocks of the landmark branch by scale, after the one that halves the map.
        heads: of the cross-attention by scale.
        dim: width of the tokens, and of the feature.
        token_heads: heads of the attention between tokens.
        token_depth: blocks of it.
    """

    side: int
    widths: tuple[int, int, int]
    depths: tuple[int, int, int]
    landmark_depths: tuple[int, int, int]
    heads: tuple[int, int, int]
    dim: int
    token_heads: int
    token_depth: int


SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size(64, (16, 32, 64), (1, 1, 2), (1, 1, 1), (2, 4, 8), 96, 8, 2),
    "published": Size(112, (64, 128, 256), (3, 4, 14), (4, 6, 2), (2, 4, 8), 768, 8, 2),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class POSTER2Config(FaceEncoderConfig):
    """Aligned faces in RGB to one vector each, by image and landmark features at three scales (POSTER2).

    Faces have the size's side, 112 or 64 pixels, or twice that, of which every second pixel is read, as the public code
    does. They are normalized inside. `published` has 768 features, `small` 96.
    """

    def output(self, stream: FrameStream) -> FeatureStream:
        size = SIZES[self.size]
        require_face(stream, size.side)
        return FeatureStream(dim=size.dim, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="poster2",
    config=POSTER2Config,
    factory=lazy("affectkit_abaw7.poster2_net:POSTER2"),
    summary="Landmark features ask image features at three scales, then attention between all tokens (POSTER2).",
    example=POSTER2Config(size="small"),
    citation="Mao et al. 2023, arXiv 2301.12149",
)
