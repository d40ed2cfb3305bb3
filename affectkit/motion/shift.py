"""Frames moved by whole pixels: a front-end for variants of a pipeline, whose scores are averaged."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import MotionConfig
from affectkit.errors import StreamError
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import FrameStream


@dataclass(frozen=True, kw_only=True)
class ShiftConfig(MotionConfig):
    """Every frame moved by whole pixels; the border that it leaves behind is repeated.

    Attributes:
        right: pixels to the right; below 0 to the left.
        down: pixels downwards; below 0 upwards.
    """

    right: int = 0
    down: int = 0

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        for name, size in (("right", stream.width), ("down", stream.height)):
            if abs(getattr(self, name)) >= size:
                fact = f"{getattr(self, name)!r} pixels move all of {size} out of the frame"
                raise StreamError(fact, "move by less", path=name)
        return stream


SPEC = MotionSpec(
    name="shift",
    config=ShiftConfig,
    factory=lazy("affectkit.motion.shift_net:Shift"),
    summary="Frames moved by whole pixels.",
)
