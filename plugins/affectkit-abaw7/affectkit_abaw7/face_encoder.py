"""What both encoders share: the faces that they take, their sizes by name, and what of them is frozen. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit import FeaturesConfig, FrameStream, StreamError, require_channels, require_unit

# of ImageNet, by which the public code of both papers normalizes
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SizeName = Literal["small", "published"]


@dataclass(frozen=True, kw_only=True)
class FaceEncoderConfig(FeaturesConfig):
    """Base of encoders with a branch for the image and one for landmarks. Not a component of its own.

    Attributes:
        size: `published`; or `small`, for a CPU.
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


def require_face(stream: FrameStream, side: int) -> None:
    """Raise StreamError unless frames are intensities in RGB of `side` or twice that, square."""
    require_channels(stream, ("r", "g", "b"))
    require_unit(stream, "intensity")
    if (stream.height, stream.width) not in ((side, side), (2 * side, 2 * side)):
        accepted = f"accepts {side}x{side} or {2 * side}x{2 * side}"
        raise StreamError(f"size {stream.height}x{stream.width} is not accepted", accepted)
