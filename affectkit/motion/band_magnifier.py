"""What the magnifiers that learn nothing have in common: a factor, and the band of frequencies that is magnified."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError, StreamError
from affectkit.fields import dial
from affectkit.streams import RGB, FrameStream, require_channels, require_steps, require_unit

# Of the dial `alpha`: what a search tries.
LEAST, LARGEST = 1.0, 32.0


@dataclass(frozen=True, kw_only=True)
class BandMagnifierConfig(MotionConfig, ABC):
    """Base of `eulerian` and `phase`: frames in, frames of the same size out.

    A clip begins as if it had stood still before. In one shorter than `least_seconds` the slow end of the band hardly
    comes out, so `Windows` that are shorter are refused, and so are such clips by `apply_motion`, `fit` and `magnify`.

    Attributes:
        alpha: motion in the band comes out so many times as large; 1 leaves it, less damps it.
        band: lowest and highest frequency of the motion, Hz. In its geometric middle all of it is magnified; at its
            ends seven tenths, an eighth of a period early or late.
    """

    context: ClassVar[int] = 2
    alpha: float = dial(8.0, low=LEAST, high=LARGEST)
    band: tuple[float, float] = (0.5, 4.0)

    @property
    def is_frozen(self) -> bool:
        return True

    @property
    def least_seconds(self) -> float:
        """One period of the slowest motion in the band."""
        return 1 / self.band[0]

    def validate(self) -> None:
        check_alpha(self.alpha)
        low, high = self.band
        if not 0 < low < high:
            raise ConfigError(f"{self.band!r} is no band", "write two frequencies in Hz, 0 < LO < HI", path="band")

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, RGB, ("gray",))
        require_unit(stream, "intensity")
        # named steps are no samples of a motion at a rate
        require_steps(stream, ())
        if stream.fps is not None and self.band[1] >= stream.fps / 2:
            fact = f"band {self.band!r} goes beyond half of {stream.fps:.4g} frames per second"
            raise StreamError(fact, f"write an upper end below {stream.fps / 2:.4g} Hz")
        return stream


def check_alpha(alpha: float) -> None:
    """Raise ConfigError unless `alpha` is a magnification factor."""
    if alpha <= 0:
        raise ConfigError(f"{alpha!r} is no magnification factor", "write more than 0; 1 changes nothing", path="alpha")
