"""Spotter `motion-events`: micro- and macro-expressions from how the skin moves relative to the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import SpotterConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.specs import SpotterSpec, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_size, require_unit

# Seconds. Motion is measured against keyframes this far apart, or a little more while the face moves; events are
# decided once in HOP.
KEYFRAME_SECONDS = 4.0
PATIENCE_SECONDS = 2.0
HOP_SECONDS = 1.0
# Shorter than a quarter of this many pixels, a face has no texture left that could show a faint motion.
MIN_SIDE = 96


@dataclass(frozen=True, kw_only=True)
class MotionEventsConfig(SpotterConfig):
    """Pulses of facial motion: out of rest and back, in directions in which faces move, beyond the clip's own noise.

    No weights: the motion of each part of the skin is a least-squares fit to its pixels (Lucas-Kanade), less the head's
    own motion, and a pulse counts by its size against the noise of the same clip. Frames have to be `steady`: one cut
    per track, since boxes that are set anew for every frame shake more than a micro-expression moves.

    Attributes:
        threshold: how far a pulse has to stand above the noise, all directions together, in standard deviations; lower
            finds more, and more that is none.
        min_seconds: shortest event, onset to offset.
        max_seconds: longest event.
        micro_seconds: events shorter than this are micro-expressions, the others macro-expressions.
        blinks: `report` them as events of kind `blink`, or `suppress` them. Either way no blink is taken for an
            expression.
    """

    threshold: float = 7.0
    min_seconds: float = 0.15
    max_seconds: float = 4.0
    micro_seconds: float = 0.5
    blinks: Literal["report", "suppress"] = "report"

    def validate(self) -> None:
        for name in ("threshold", "min_seconds", "max_seconds", "micro_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{getattr(self, name)!r} is not positive", "write more than 0", path=name)
        if self.max_seconds <= self.min_seconds:
            fact = f"max_seconds {self.max_seconds!r} is not above min_seconds {self.min_seconds!r}"
            raise ConfigError(fact, "write the longest event, such as 4.0", path="max_seconds")

    @property
    def settle_seconds(self) -> float:
        """How long after its apex an event is decided: its second half may last, and rest follows."""
        return self.max_seconds + 0.5

    @property
    def window_seconds(self) -> float:
        """What is looked at for one decision: the longest event on both sides of the apex, rest, and the hop."""
        return 2 * self.settle_seconds + HOP_SECONDS

    @property
    def memory_seconds(self) -> float:
        return self.window_seconds + self.settle_seconds + 2 * (KEYFRAME_SECONDS + PATIENCE_SECONDS)

    def check_input(self, stream: FrameStream) -> None:
        require_channels(stream, RGB, ("gray",))
        require_unit(stream, "intensity")
        require_size(stream, at_least=MIN_SIDE)
        if stream.steps:
            raise StreamError(f"steps {stream.steps!r} are not accepted", "give a window of any T")
        if stream.alignment != "steady":
            raise StreamError(
                f"alignment {stream.alignment!r} is not accepted",
                "write 'steady': one cut per track, so that what moves is the face",
            )


SPEC = SpotterSpec(
    name="motion-events",
    config=MotionEventsConfig,
    factory=lazy("affectkit.spotters.motion_events_spotter:MotionEvents"),
    summary="Micro- and macro-expressions and blinks from motion relative to the head, without weights.",
)
