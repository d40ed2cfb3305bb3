"""What both encoders take: aligned faces in RGB, square, of one of two sizes. No torch."""

from __future__ import annotations

from affectkit import FrameStream, StreamError, require_channels, require_unit

# of ImageNet, by which the public code of both papers normalizes
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def require_face(stream: FrameStream, side: int) -> None:
    """Raise StreamError unless frames are intensities in RGB of `side` or twice that, square."""
    require_channels(stream, ("r", "g", "b"))
    require_unit(stream, "intensity")
    if (stream.height, stream.width) not in ((side, side), (2 * side, 2 * side)):
        accepted = f"accepts {side}x{side} or {2 * side}x{2 * side}"
        raise StreamError(f"size {stream.height}x{stream.width} is not accepted", accepted)
