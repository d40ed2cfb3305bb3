"""Optical flow between frames, with optical strain and magnitude on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_steps, require_unit, with_changes

# the three annotated frames of a micro-expression, and the two motions between them
KEYFRAMES = ("onset", "apex", "offset")
PHASES = ("contraction", "relaxation")
_WINDOWED = ("lucas-kanade", "combined-local-global")


@dataclass(frozen=True, kw_only=True)
class OpticalFlowConfig(MotionConfig):
    """Displacement (u to the right, v downwards) in pixels, magnitude and sign kept.

    With `previous` and `first`, T stays as it is, the first frame's flow is zero, and so is a flow from or to padding.
    With `phases`, onset, apex and offset become contraction (onset to apex) and relaxation (apex to offset), and onset
    and apex alone the contraction; a phase carries the time of its end frame and is real where both its frames are.

    Attributes:
        method: `lucas-kanade` is in torch, batched and differentiable, and fast; `combined-local-global` is that too,
            several times slower and the most accurate up to a pixel; `tv-l1` is so from there to two pixels, runs
            pair by pair on the CPU, passes no gradient and needs numba (`affectkit[fast]`). `dual-tv-l1` and
            `farneback` are OpenCV's, for comparison, and pass no gradient either. DIS is not offered: at these
            motions it is worse than no flow at all.
        pairs: what each frame is compared with: the `previous` frame, the `first` real one of the clip, or the frame
            before it among onset, apex and offset (`phases`).
        strain: whether to append the optical strain, the size of the flow's symmetric spatial derivative, as a channel
            (per pixel, so without unit, and never negative).
        magnitude: whether to append the length of the displacement, pixels, as the last channel.
        rigid: what most of a map does together, a shift, turn and zoom: `keep` it; or `subtract` it by a robust fit,
            since a face that moves as a whole shows a moving head and no expression.
        window: standard deviation of the Gaussian window, pixels; left out, 6.0 for `lucas-kanade` and 3.0 for
            `combined-local-global`. The other methods have none.
    """

    context: ClassVar[int] = 2
    method: Literal["lucas-kanade", "combined-local-global", "tv-l1", "dual-tv-l1", "farneback"] = "lucas-kanade"
    pairs: Literal["previous", "first", "phases"] = "previous"
    strain: bool = False
    magnitude: bool = False
    rigid: Literal["keep", "subtract"] = "keep"
    # None, not 6.0, so that `validate` can tell a width that was written from one that was left out
    window: float | None = None

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        if self.window is None:
            return
        if self.method not in _WINDOWED:
            raise ConfigError(
                f"{self.window!r} with method {self.method!r}, which has no window",
                f"leave it out, or use method={' or '.join(map(repr, _WINDOWED))}",
                path="window",
            )
        if self.window <= 0:
            raise ConfigError(f"{self.window!r} is no width", "write more than 0 pixels", path="window")

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, RGB, ("gray",))
        require_unit(stream, "intensity")
        channels = ("u", "v", *(("strain",) if self.strain else ()), *(("magnitude",) if self.magnitude else ()))
        steps = stream.steps
        if self.pairs == "phases":
            require_steps(stream, KEYFRAMES, KEYFRAMES[:2])
            steps = PHASES[: len(stream.steps) - 1]
        # a stream has one unit: the flow's, though strain beside it is a ratio
        return with_changes(stream, channels=channels, unit="pixel", steps=steps)


SPEC = MotionSpec(
    name="optical-flow",
    config=OpticalFlowConfig,
    factory=lazy("affectkit.motion.optical_flow_net:OpticalFlow"),
    summary="Dense optical flow in pixels, by Lucas-Kanade, CLG, TV-L1 or Farneback.",
)
