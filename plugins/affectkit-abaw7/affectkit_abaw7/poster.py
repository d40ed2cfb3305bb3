"""Feature extractor `poster`."""

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


SizeName = Literal["small", "published"]
SIZES: Mapping[SizeName, Size] = MappingProxyType({
    "small": Size(64, (16, 32, 64), (1, 1, 2), (16, 32), (1, 1, 1), 64, 4, 2),
    "published": Size(112, (64, 128, 256), (3, 4, 14), (64, 128), (4, 6, 2), 512, 8, 8),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class POSTERConfig(FeaturesConfig):
    """Aligned faces in RGB to one vector each, by attention between image and landmark tokens at three widths (POSTER).

    Faces have the size's side, 112 or 64 pixels, or twice that, of which every second pixel is read, as the public code
    does. They are normalized inside.

    Attributes:
        size: `published`, 512 features, the larger of the paper's three; `small`, 64 features, for a CPU, which is none
            of these.
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
    name="poster",
    config=POSTERConfig,
    factory=lazy("affectkit_abaw7.poster_net:POSTER"),
    summary="Image and landmark tokens ask each other, in a pyramid of three widths (POSTER).",
    example=POSTERConfig(size="small"),
    citation="Zheng et al. 2022, arXiv 2204.04083",
)
