"""Phase-based motion magnification: local waves are shifted on by more of the phase that they have changed by."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.errors import ConfigError
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.specs import MotionSpec, lazy


@dataclass(frozen=True, kw_only=True)
class PhaseConfig(BandMagnifierConfig):
    """Magnification by phase (Wadhwa et al. 2013): right while `alpha` times the motion is a quarter of a wave.

    It moves what is in the picture and leaves brightness alone, so noise is moved and not amplified. The motion is that
    of the gray picture; colors stay where they are. Waves shorter than 4 pixels hardly take part. Output is clipped to
    [0, 1].

    Attributes:
        alpha: motion in the band comes out so many times as large; 1 leaves it, less damps it.
        directions: into which waves are sorted, 2 to 8; more are slower, and tell crossing waves apart better.
        smooth: standard deviation of the blur over the phases, weighted by amplitude, in pixels of each octave; 0 for
            none.
    """

    directions: int = 6
    smooth: float = 1.0

    def validate(self) -> None:
        super().validate()
        if not 2 <= self.directions <= 8:
            raise ConfigError(f"{self.directions!r} directions", "write 2 to 8", path="directions")
        if self.smooth < 0:
            raise ConfigError(f"{self.smooth!r} is no width", "write pixels, or 0 for none", path="smooth")


SPEC = MotionSpec(
    name="phase",
    config=PhaseConfig,
    factory=lazy("affectkit.motion.phase_net:Phase"),
    summary="Phase-based magnification of motion in a band of frequencies; nothing is learned.",
    citation="Wadhwa, Rubinstein, Durand and Freeman: Phase-Based Video Motion Processing. ACM Transactions on "
    "Graphics 32(4), 2013.",
)
