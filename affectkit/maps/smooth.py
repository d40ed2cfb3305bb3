"""Score map `smooth`: each frame's scores averaged with those of its neighbors, by real gaps in time."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import ScoreMapConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.fields import dial
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class SmoothConfig(ScoreMapConfig):
    """Weighted mean over the nearest listed frames, weight `exp(-gap^2 / sigma)`; of probabilities, or of values.

    It looks at frames before and after, so it is not causal and can't stream. In windows, the neighbors are those of
    the same window; `affectkit smooth` smooths a finished table over whole videos.

    Attributes:
        sigma: squared frames; at a gap of its root the weight is 1/e. The default is that of the ABAW7 code.
        delta: how many neighbors to each side. There 10 served valence and arousal, 50 expressions; action units were
            worse at any.
        time_unit: seconds that make one frame of `sigma`; the default is a frame at 25 per second.
    """

    sigma: float = dial(1e5, low=1.0, high=1e6)
    delta: int = dial(10, low=0, high=250)
    time_unit: float = 0.04

    def validate(self) -> None:
        if not self.sigma > 0:
            raise ConfigError(f"{self.sigma!r} is no spread", "write more than 0 squared frames", path="sigma")
        if self.delta < 0:
            raise ConfigError(f"{self.delta!r} neighbors", "write 0 or more", path="delta")
        if not self.time_unit > 0:
            raise ConfigError(f"{self.time_unit!r} is no duration", "write more than 0 seconds", path="time_unit")

    def output(self, stream: PredictionStream) -> PredictionStream:
        if stream.resolution != "frame":
            fact = "one score for a whole clip has no neighbors"
            raise StreamError(fact, "leave the map out, or give the head resolution='frame'")
        return stream


SPEC = ScoreMapSpec(
    name="smooth",
    config=SmoothConfig,
    factory=lazy("affectkit.maps.smooth_net:Smooth"),
    summary="Scores averaged over neighboring frames, weighted by their distance in time.",
    example=SmoothConfig(source="valence_arousal"),
)
