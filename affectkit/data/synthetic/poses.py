"""Rigid motion of the head in the image plane: where it is, and a band-limited path that it takes.

A pose takes the point r of the head at rest to `p = c + s R(angle) (r - c) + (x, y)`, pixels, with the head's pivot c.
The angle is in degrees, clockwise as seen, since y grows downwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Heads of sitting people sway at these frequencies, Hz; nothing faster is in the path.
BAND = (0.1, 0.6)
_WAVES = 4


class Pose(NamedTuple):
    """Offset in pixels, turn in degrees and size of a head relative to rest."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    scale: float = 1.0


AT_REST = Pose()


def matrix(pose: Pose, pivot: tuple[float, float]) -> NDArray[np.float64]:
    """`(2, 3)`: from points of the head at rest to points of the frame."""
    angle = np.deg2rad(pose.angle)
    cos, sin = pose.scale * np.cos(angle), pose.scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = np.array(pivot) - turn @ np.array(pivot) + np.array([pose.x, pose.y])
    return np.concatenate([turn, shift[:, None]], axis=1)


def inverse(forward: NDArray[np.float64]) -> NDArray[np.float64]:
    """The way back of a `(2, 3)` matrix."""
    turn = np.linalg.inv(forward[:, :2])
    return np.concatenate([turn, -(turn @ forward[:, 2])[:, None]], axis=1)


def move(forward: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points `(..., 2)` under a `(2, 3)` matrix."""
    moved: NDArray[np.float64] = points @ forward[:, :2].T + forward[:, 2]
    return moved


def grid_under(forward: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """All pixels (x, y) of a frame of this height and width under a matrix, `(H, W, 2)`."""
    height, width = size
    a = forward.astype(np.float32)
    moved = np.empty((height, width, 2), np.float32)
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for axis in (0, 1):
        np.add(a[axis, 0] * columns, a[axis, 1] * rows + a[axis, 2], out=moved[..., axis])
    return moved


class Sway:
    """A smooth path of poses: sums of sines of random phase, at rest at time 0.

    Over `seconds` the speed of the offset peaks at `speed` pixels per second and that of the turn at `turn` degrees per
    second. They are found on a grid of 5 ms, on which such slow waves can't hide a higher peak.
    """

    def __init__(self, rng: np.random.Generator, seconds: float, speed: float, turn: float) -> None:
        self._frequency = rng.uniform(*BAND, (3, _WAVES))
        self._phase = rng.uniform(0.0, 2.0 * np.pi, (3, _WAVES))
        # Slow waves are larger: the speed has the same share in each.
        self._size = rng.uniform(0.3, 1.0, (3, _WAVES)) / (2.0 * np.pi * self._frequency)
        times = np.arange(0.0, seconds + 0.005, 0.005)
        omega = 2.0 * np.pi * self._frequency
        speeds = (self._size * omega)[..., None] * np.cos(omega[..., None] * times + self._phase[..., None])
        vx, vy, va = speeds.sum(axis=1)
        self._size[:2] *= speed / np.hypot(vx, vy).max()
        self._size[2] *= turn / np.abs(va).max()

    def pose(self, time: float) -> Pose:
        """The pose at a time in seconds."""
        omega = 2.0 * np.pi * self._frequency
        x, y, angle = (self._size * (np.sin(omega * time + self._phase) - np.sin(self._phase))).sum(axis=1)
        return Pose(float(x), float(y), float(angle))
