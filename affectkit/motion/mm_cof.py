"""MM-COF: both phases of a micro-expression in one map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError
from affectkit.motion.optical_flow import PHASES, OpticalFlowConfig
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_steps, require_unit, with_changes

EVENT = ("event",)
_FLOW = ("u", "v")
_ENCODINGS = {"direction": ("u", "v", "magnitude"), "color": RGB, "magnitude": ("magnitude",)}


@dataclass(frozen=True, kw_only=True)
class MMCOFConfig(MotionConfig):
    """Flow of onset to apex and apex to offset in one, small motions weakened, large ones raised (arXiv 2510.07810).

    The paper states that each phase's magnitude is scaled to [0, 1], that the two are added with weights, and that the
    sum is modulated by a threshold at every pixel. It gives neither weights, threshold and gains, nor the flow, nor how
    the direction is kept: those are fields here, and their defaults are ours. Sizes are added and not vectors, since
    the face moves back in the second phase and the two would cancel.

    Takes three frames (`onset, apex, offset`) or their flow (`contraction, relaxation`), gives one map. An event
    without an offset, where the mask says so, is that of its first phase.

    Attributes:
        flow: of the two phases, where frames come in; its `pairs` have to be `phases`, and it gives `u` and `v` alone.
        theta: weights of the two phases, at least 0, not both 0.
        threshold: what counts as large: from the `mean` of the map plus `spread` standard deviations on, or from the
            `percentile` on that `percentile` gives.
        spread: standard deviations above (or below) the mean.
        percentile: 0 to 100.
        gains: factors below the threshold and from it on, 0 <= low <= high; the result is cut off at 1.
        steepness: of the soft rule, a sigmoid of the distance to the threshold times this; left out, the hard rule,
            which is the soft one's limit. The soft one passes a gradient through the gains too.
        encoding: `direction`, the first phase's direction as a vector of the map's length, and the length; `color`, the
            direction as hue and the map as value of an RGB picture; `magnitude`, the map alone.
        least_motion: in units of the flow. A phase whose magnitudes differ by less is still, and counts as zeros:
            scaled to [0, 1] it would be noise.
    """

    context: ClassVar[int] = 2
    flow: OpticalFlowConfig = field(default_factory=lambda: OpticalFlowConfig(pairs="phases"))
    theta: tuple[float, float] = (0.5, 0.5)
    threshold: Literal["mean", "percentile"] = "mean"
    spread: float = 0.0
    percentile: float = 60.0
    gains: tuple[float, float] = (0.5, 1.5)
    steepness: float | None = None
    encoding: Literal["direction", "color", "magnitude"] = "direction"
    least_motion: float = 1e-3

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        if self.flow.pairs != "phases" or self.flow.strain or self.flow.magnitude:
            raise ConfigError(
                f"pairs={self.flow.pairs!r}, strain={self.flow.strain!r}, magnitude={self.flow.magnitude!r}",
                "write OpticalFlowConfig(pairs='phases', ...) without strain and magnitude",
                path="flow",
            )
        if min(self.theta) < 0 or sum(self.theta) == 0:
            raise ConfigError(f"{self.theta!r}", "write two numbers of at least 0, not both 0", path="theta")
        if not 0 <= self.percentile <= 100:
            raise ConfigError(f"{self.percentile!r}", "write 0 to 100", path="percentile")
        if not 0 <= self.gains[0] <= self.gains[1]:
            raise ConfigError(f"{self.gains!r}", "write low and high with 0 <= low <= high", path="gains")
        if self.steepness is not None and self.steepness <= 0:
            raise ConfigError(f"{self.steepness!r}", "write more than 0, or None for the hard rule", path="steepness")
        if self.least_motion < 0:
            raise ConfigError(f"{self.least_motion!r}", "write 0 or more", path="least_motion")

    def output(self, stream: FrameStream) -> FrameStream:
        if stream.unit == "intensity":
            stream = self.flow.output(stream)
        require_channels(stream, _FLOW)
        require_unit(stream, "pixel", "iod", "relative")
        require_steps(stream, PHASES)
        unit: Literal["intensity", "relative"] = "intensity" if self.encoding == "color" else "relative"
        return with_changes(stream, channels=_ENCODINGS[self.encoding], unit=unit, steps=EVENT)


SPEC = MotionSpec(
    name="mm-cof",
    config=MMCOFConfig,
    factory=lazy("affectkit.motion.mm_cof_net:MMCOF"),
    summary="Both phases of a micro-expression in one map of modulated motion (MM-COF).",
    citation="arXiv 2510.07810",
)
