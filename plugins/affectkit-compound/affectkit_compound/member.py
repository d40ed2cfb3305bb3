"""What the members share: their sizes by name, the faces that they take, and whether they are frozen. No torch."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

from affectkit import FeaturesConfig, FrameStream, StreamError, require_channels, require_unit

SizeName = Literal["small", "published"]


@dataclass(frozen=True, kw_only=True)
class MemberConfig(FeaturesConfig):
    """Base of the networks that see a face in RGB. Not a component of its own.

    Attributes:
        size: `published`; or `small`, for a CPU.
        frozen: whether the network keeps its weights, and its batch statistics, in training.
    """

    size: SizeName = "published"
    frozen: bool = False

    @property
    @abstractmethod
    def side(self) -> int:
        """Of the faces in pixels."""

    @property
    def is_frozen(self) -> bool:
        return self.frozen


def require_face(stream: FrameStream, side: int) -> None:
    """Raise StreamError unless frames are intensities in RGB, square, of `side` pixels."""
    require_channels(stream, ("r", "g", "b"))
    require_unit(stream, "intensity")
    if (stream.height, stream.width) != (side, side):
        raise StreamError(f"size {stream.height}x{stream.width} is not accepted", f"accepts {side}x{side}")
