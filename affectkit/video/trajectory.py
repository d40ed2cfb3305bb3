"""Where a face's center is expected at a time, and how sure that is.

A Kalman filter with a velocity that changes at random, in seconds of the video's own time, so that a varying rate or
frames that are missing change nothing. Both axes have the same variances. Velocity fades where nothing is measured:
people who leave a picture turn round sooner or later.

Symbols: dt seconds; k = exp(-dt / tau) what is left of the velocity; h = tau (1 - k) how far it leads; q density of the
accelerations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# All lengths are in sizes of the face; 1 sigma. How far a box lies beside its face:
_BOX_NOISE = 0.05
# The same where a part of the face is hidden: the box is that of what shows.
_COVERED_NOISE = 0.25
# Speed of a face that is new, per second, and by how much it changes within a second.
_START_SPEED = 4.0
_SPEED_CHANGE = 3.0
# tau, in seconds.
_FADING = 1.0
# That second term of the surprise is no more than this, however long nothing was seen: as after about a second.
_MAX_VAGUENESS = 14.0


@dataclass(frozen=True)
class Trajectory:
    """Center and velocity of a face at one moment.

    Attributes:
        x, y: pixels.
        vx, vy: pixels per second.
        variance: of x, and alike of y; pixels squared.
        covariance: of x and vx, and alike of y and vy.
        speed_variance: of vx, and alike of vy.
    """

    x: float
    y: float
    vx: float
    vy: float
    variance: float
    covariance: float
    speed_variance: float

    @classmethod
    def start(cls, x: float, y: float, size: float) -> Trajectory:
        """A face of `size` pixels is seen for the first time."""
        return cls(x, y, 0.0, 0.0, (_BOX_NOISE * size) ** 2, 0.0, (_START_SPEED * size) ** 2)

    def after(self, dt: float, size: float) -> Trajectory:
        """What is expected `dt` seconds later."""
        if dt <= 0:
            return self
        k = math.exp(-dt / _FADING)
        h = _FADING * (1 - k)
        q = (_SPEED_CHANGE * size) ** 2
        return Trajectory(
            x=self.x + h * self.vx,
            y=self.y + h * self.vy,
            vx=k * self.vx,
            vy=k * self.vy,
            variance=self.variance + 2 * h * self.covariance + h**2 * self.speed_variance + q * dt**3 / 3,
            covariance=k * (self.covariance + h * self.speed_variance) + q * dt**2 / 2,
            speed_variance=k**2 * self.speed_variance + q * dt,
        )

    def corrected(self, x: float, y: float, size: float, *, is_covered: bool) -> Trajectory:
        """What is known when the face is seen there; `is_covered` if another one may hide a part of it."""
        spread = self.variance + _noise(size, is_covered)
        gain, speed_gain = self.variance / spread, self.covariance / spread
        dx, dy = x - self.x, y - self.y
        return Trajectory(
            x=self.x + gain * dx,
            y=self.y + gain * dy,
            vx=self.vx + speed_gain * dx,
            vy=self.vy + speed_gain * dy,
            variance=(1 - gain) * self.variance,
            covariance=(1 - gain) * self.covariance,
            speed_variance=self.speed_variance - speed_gain * self.covariance,
        )

    def surprise(self, x: float, y: float, size: float, *, is_covered: bool) -> tuple[float, float]:
        """Squared sigmas of a box's center there; and twice the negative logarithm of the likelihood.

        The likelihood is relative to that of a face whose place is known as well as a box is. Without its second term,
        a face that was lost, and might be anywhere, would take the boxes of those that are where they should be.
        """
        noise = _noise(size, is_covered)
        spread = self.variance + noise
        squared = ((x - self.x) ** 2 + (y - self.y) ** 2) / spread
        return squared, squared + min(2 * math.log(spread / noise), _MAX_VAGUENESS)


def _noise(size: float, is_covered: bool) -> float:
    """Variance of a box's center around that of its face, pixels squared."""
    return float(((_COVERED_NOISE if is_covered else _BOX_NOISE) * size) ** 2)
