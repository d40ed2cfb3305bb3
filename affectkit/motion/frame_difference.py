"""Frame differences: the cheapest motion front-end, and the baseline of every other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.configs import MotionConfig
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_unit, with_changes


@dataclass(frozen=True, kw_only=True)
class FrameDifferenceConfig(MotionConfig):
    """Signed difference of each frame to the previous or the first frame of its clip, in [-1, 1].

    T stays as it is: the first frame's difference is zero, and so is a difference with padding. Channels are named
    after those of the input (`r` becomes `dr`), or `d` for gray. The unit is `relative`, since a stream in `intensity`
    is within [0, 1] and a difference is signed; here the maps of a clip can be compared all the same.

    Attributes:
        reference: the frame that is subtracted: the `previous` one, or the `first` real one of the clip.
        gray: whether RGB frames are made gray (ITU-R BT.601) first, which leaves one channel.
    """

    # two frames at the least: with one alone every difference is zero
    context: ClassVar[int] = 2
    reference: Literal["previous", "first"] = "previous"
    gray: bool = False

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        require_unit(stream, "intensity")
        if self.gray:
            require_channels(stream, RGB, ("gray",))
        names = ("d",) if self.gray or stream.channels == ("gray",) else tuple(f"d{name}" for name in stream.channels)
        return with_changes(stream, channels=names, unit="relative")


SPEC = MotionSpec(
    name="frame-difference",
    config=FrameDifferenceConfig,
    factory=lazy("affectkit.motion.frame_difference_net:FrameDifference"),
    summary="Signed difference of each frame to the previous or first one.",
)
