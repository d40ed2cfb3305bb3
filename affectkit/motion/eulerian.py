"""Eulerian motion magnification: what changes in the band is added to the frame, magnified."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.errors import ConfigError
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.specs import MotionSpec, lazy


@dataclass(frozen=True, kw_only=True)
class EulerianConfig(BandMagnifierConfig):
    """Linear magnification (Wu et al. 2012): fast, and right while `alpha` times the motion is an eighth of a wave.

    Beyond that edges get bright and dark seams in place of moving farther. It magnifies changes of brightness and noise
    as much as motion. Output is clipped to [0, 1].

    Attributes:
        alpha: motion in the band comes out so many times as large; 1 leaves it, less damps it.
        cutoff: waves shorter than this, pixels, are magnified by less: by `alpha` times their length over it, which
            keeps noise and seams down (equation 14 there). 0 magnifies all alike.
    """

    cutoff: float = 0.0

    def validate(self) -> None:
        super().validate()
        if self.cutoff < 0:
            raise ConfigError(f"{self.cutoff!r} is no wavelength", "write pixels, or 0 for none", path="cutoff")


SPEC = MotionSpec(
    name="eulerian",
    config=EulerianConfig,
    factory=lazy("affectkit.motion.eulerian_net:Eulerian"),
    summary="Linear Eulerian magnification of motion in a band of frequencies; nothing is learned.",
    citation="Wu, Rubinstein, Shih, Guttag, Durand and Freeman: Eulerian Video Magnification for Revealing Subtle "
    "Changes in the World. ACM Transactions on Graphics 31(4), 2012.",
)
