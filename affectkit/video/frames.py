"""What a reader gives: pictures with their times, and marks where a picture can't be had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class VideoFrame:
    """One picture of a video.

    Attributes:
        index: position in the file, in the order of presentation, from 0.
        pts: seconds of container time.
        image: `(H, W, 3)` uint8, RGB, upright: the container's rotation, or a photo's EXIF orientation, is applied.
    """

    index: int
    pts: float
    image: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class SkippedFrame:
    """A frame that is in the file and can't be trusted: it does not decode, or only with guesses of the decoder.

    Attributes:
        index: position in the file, in the order of presentation, from 0.
        pts: seconds of container time, as its packet says.
        reason: why, in a few words.
    """

    index: int
    pts: float
    reason: str
