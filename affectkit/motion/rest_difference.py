"""Difference from rest: maps of a clip minus their median over its frames, since faces are calm most of the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.configs import MotionConfig
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import FrameStream, with_changes


@dataclass(frozen=True, kw_only=True)
class RestDifferenceConfig(MotionConfig):
    """Maps minus their median, per pixel and channel, over the real frames of the clip.

    What a face looks like at rest differs from person to person by more than a faint expression changes it; the
    median of a clip that shows it for more than half of the time is that rest, whichever frame it begins with. After
    flow to the `first` frame, it is flow from rest. In a clip that is never calm, what lasts is taken for rest.

    Channels and unit stay, but for intensities, whose differences are signed and so `relative`.
    """

    context: ClassVar[int] = 2

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        return with_changes(stream, unit="relative") if stream.unit == "intensity" else stream


SPEC = MotionSpec(
    name="rest-difference",
    config=RestDifferenceConfig,
    factory=lazy("affectkit.motion.rest_difference_net:RestDifference"),
    summary="Maps minus their median over the clip: what differs from the face at rest.",
)
