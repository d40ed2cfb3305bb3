"""Feature extractor `poster2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from affectkit import FeaturesConfig, FeaturesSpec, FeatureStream, FrameStream, lazy
from affectkit_abaw7.face_input import require_face


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


SizeName = Literal["small", "published"]
SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size(64, (16, 32, 64), (1, 1, 2), (1, 1, 1), (2, 4, 8), 96, 8, 2),
    "published": Size(112, (64, 128, 256), (3, 4, 14), (4, 6, 2), (2, 4, 8), 768, 8, 2),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class POSTER2Config(FeaturesConfig):
    """Aligned faces in RGB to one vector each, by image and landmark features at three scales (POSTER2).

    Faces have the size's side, 112 or 64 pixels, or twice that, of which every second pixel is read, as the public code
    does. They are normalized inside.

    Attributes:
        size: `published`, 768 features; `small`, 96 features, for a CPU.
        frozen: whether the network keeps its weights, and its batch statistics, in training.
        frozen_landmarks: the same for the landmark branch alone; None for yes if `published`, which begins with weights
            of a landmark detector, and no if `small`, which has none to begin with.
    """

    size: SizeName = "published"
    frozen: bool = False
    frozen_landmarks: bool | None = None

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    @property
    def has_frozen_landmarks(self) -> bool:
        """Whether the landmark branch keeps its weights, with or without the rest."""
        chosen = self.size == "published" if self.frozen_landmarks is None else self.frozen_landmarks
        return self.frozen or chosen

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
