"""Eyes and mouth: edges of skin that part. The one place where the face's motion is not smooth.

In the coordinates of the skin after its smooth motion, an opening lies between two curves over `x`. Where an edge has
gone by `e(x)`, the skin beside it follows by `e(x) exp(-(d / reach)^2)`, d the distance from the edge where it is now.
What lies between the edges is not skin and has no place in the texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.identity import FaceIdentity

Array = NDArray[np.float32]


class Curves(NamedTuple):
    """The upper and the lower edge at each `x`, and how much of the edges' motion arrives there, in [0, 1]."""

    upper: Array
    lower: Array
    share: Array


@dataclass(frozen=True, kw_only=True)
class Opening:
    """An eye or the mouth of a face at rest. Lengths in pupil distances.

    Attributes:
        x: of the middle.
        y: of the middle of the line through the corners.
        half_width: from the middle to a corner.
        slope: of the line through the corners.
        sag: how much lower the middle of that line is than its ends.
        above: height of the upper edge over the line.
        below: depth of the lower edge under the line.
        reach_up: over which the skin above follows its edge.
        reach_down: over which the skin below does.
    """

    x: float
    y: float
    half_width: float
    slope: float = 0.0
    sag: float = 0.0
    above: float = 0.0
    below: float = 0.0
    reach_up: float
    reach_down: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all that moves with the edges."""
        up, down = 2.6 * self.reach_up + self.above + 0.05, 2.6 * self.reach_down + self.below + 0.05
        return (self.x - self.half_width - 0.02, self.y - up, self.x + self.half_width + 0.02, self.y + down)

    def curves(self, x: Array, upper: float = 0.0, lower: float = 0.0) -> Curves:
        """Where the edges are at each `x`, moved by these amounts (down is positive) in the middle."""
        across = (x - np.float32(self.x)) / np.float32(self.half_width)
        share = np.clip(1.0 - across * across, 0.0, 1.0).astype(np.float32)
        line = np.float32(self.y) + np.float32(self.slope * self.half_width) * across + np.float32(self.sag) * share
        # A lid is fuller than a parabola.
        arch = share ** np.float32(0.8)
        top, bottom = line - np.float32(self.above) * arch, line + np.float32(self.below) * arch
        # Edges can touch, and do not pass one another: the upper one stops at the lower.
        top, bottom = top + np.float32(upper) * share, bottom + np.float32(lower) * share
        return Curves(np.minimum(top, bottom), bottom, share)

    def source(self, x: Array, y: Array, upper: float, lower: float) -> Array:
        """The y from which the skin at `x`, `y` came, once the edges have moved."""
        top, bottom, share = self.curves(x, upper, lower)
        rest = self.curves(x)
        up = (top - rest.upper) * _near(top - y, self.reach_up)
        down = (bottom - rest.lower) * _near(y - bottom, self.reach_down)
        between = np.clip((y - top) / np.maximum(bottom - top, np.float32(1e-4)), 0.0, 1.0).astype(np.float32)
        moved = np.where(y <= top, up, np.where(y >= bottom, down, up + (down - up) * between))
        return np.where(share > 0.0, y - moved, y).astype(np.float32)

    def target(self, x: Array, y: Array, upper: float, lower: float) -> Array:
        """Where the skin at rest at `x`, `y` has gone: the inverse of `source` on skin."""
        top, bottom, share = self.curves(x, upper, lower)
        rest = self.curves(x)
        moved = y.copy()
        above = y <= (rest.upper + rest.lower) * np.float32(0.5)
        for _ in range(60):
            up = (top - rest.upper) * _near(top - moved, self.reach_up)
            down = (bottom - rest.lower) * _near(moved - bottom, self.reach_down)
            before, moved = moved, y + np.where(above, up, down)
            if np.abs(moved - before).max() < 1e-6:
                break
        return np.where(share > 0.0, moved, y).astype(np.float32)


def eye(person: FaceIdentity, side: float) -> Opening:
    """The eye on one side of the image: -1 left, 1 right."""
    slope = -side * person.eye_tilt / person.eye_width
    height = person.eye_height
    return Opening(
        x=side * 0.5,
        y=0.02,
        half_width=person.eye_width,
        slope=slope,
        above=0.60 * height,
        below=0.40 * height,
        reach_up=0.22,
        reach_down=0.20,
    )


def mouth(person: FaceIdentity) -> Opening:
    """The mouth, closed at rest."""
    return Opening(
        x=0.0,
        y=person.mouth_y - 0.005,
        half_width=person.mouth_width * 0.96,
        sag=0.012,
        reach_up=0.20,
        reach_down=0.34,
    )


def _near(distance: Array, reach: float) -> Array:
    away = np.maximum(distance, np.float32(0.0)) / np.float32(reach)
    return np.exp(-away * away).astype(np.float32)
