"""Where the parts of a face lie in a steady cut, and how the skin moves in the expressions of a face.

Lengths are in distances between the eyes, from the point midway between them, x to the right, y down. Sums over pixels
are taken over square cells, and all that follows is linear in them. The patterns are directions that the Facial Action
Coding System (Ekman, Friesen and Hager, 2002) describes, as smooth bumps on both sides of the face. They say where to
look and in which direction, and are no measurement of action units. A movement of one side alone is half a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Bump(NamedTuple):
    """Center and spread on the right-hand side of the picture, and direction; the other side mirrors it."""

    x: float
    y: float
    wide: float
    high: float
    u: float
    v: float


PATTERNS: dict[str, Bump] = {
    "inner brow up": Bump(0.22, -0.32, 0.20, 0.17, 0.0, -1.0),
    "outer brow up": Bump(0.65, -0.30, 0.22, 0.17, 0.0, -1.0),
    "brow down and in": Bump(0.28, -0.28, 0.25, 0.16, -0.5, 0.85),
    "cheek up": Bump(0.60, 0.38, 0.28, 0.20, -0.1, -1.0),
    "temple in": Bump(0.90, 0.05, 0.18, 0.18, -1.0, 0.0),
    "side of the nose up": Bump(0.17, 0.40, 0.15, 0.18, 0.0, -1.0),
    "upper lip up": Bump(0.22, 0.88, 0.20, 0.13, 0.0, -1.0),
    "upper lip down": Bump(0.15, 0.95, 0.17, 0.08, 0.0, 1.0),
    "mouth corner up and out": Bump(0.48, 1.00, 0.20, 0.18, 0.75, -0.65),
    "mouth corner out": Bump(0.50, 1.02, 0.20, 0.17, 1.0, 0.05),
    "mouth corner down": Bump(0.48, 1.08, 0.18, 0.17, 0.15, 1.0),
    "mouth corner in": Bump(0.40, 1.02, 0.16, 0.13, -1.0, 0.0),
    "fold beside the nose up": Bump(0.60, 0.72, 0.24, 0.20, 0.1, -1.0),
    "lower lip up": Bump(0.13, 1.15, 0.18, 0.09, 0.0, -1.0),
    "chin up": Bump(0.12, 1.40, 0.22, 0.17, 0.0, -1.0),
    "jaw down": Bump(0.22, 1.50, 0.40, 0.22, 0.0, 1.0),
}
# Where expressions move the skin, and how much less it is there a witness of the head's motion.
_MOBILE = ((0.5, 0.02, 0.30, 0.17, 1.0), (0.4, -0.30, 0.40, 0.15, 0.9), (0.0, 1.05, 0.55, 0.30, 0.95))
_LEAST_TRUST = 0.05
# Around each eye's center: half width, and top and bottom, of what blinks move; half width and height of the eye.
_EYE_ZONE, _EYE_BOX = (0.36, -0.15, 0.20), (0.20, 0.14)
_CELL = 0.125


@dataclass(frozen=True)
class FaceGrid:
    """A cut's cells and what each belongs to; N of them lie on the face and off the eyes.

    Attributes:
        cell: side of a cell, pixels.
        rows, columns: how many there are in the cut; what remains to the right and below is not used.
        inside: which of them, row by row, are the N.
        middle: x and y of the point between the eyes, pixels.
        iod: distance between the eyes, pixels.
        places: x and y of each cell's center `(N, 2)`, in distances between the eyes.
        turns: displacement of each cell by one unit of each of the head's four (tx, ty, a, b), `(N, 2, 4)`.
        trust: weight of each cell in the head's motion, `(N,)` in (0, 1].
        patterns: direction of each cell in each pattern, `(P, N, 2)`, of length 1 at most.
        next_to: which cells touch, by a corner at least; each touches itself, `(N, N)`.
        eyes: rows and columns of the box around each eye.
    """

    cell: int
    rows: int
    columns: int
    inside: Flags
    middle: tuple[float, float]
    iod: float
    places: Doubles
    turns: Doubles
    trust: Doubles
    patterns: Doubles
    next_to: Flags
    eyes: tuple[tuple[slice, slice], tuple[slice, slice]]


def face_grid(height: int, width: int, left: complex, right: complex) -> FaceGrid:
    """The grid of a cut of that size in which the eyes' centers lie at `left` and `right`, x + iy in pixels."""
    iod, middle = abs(right - left), (left + right) / 2
    cell = max(4, round(_CELL * iod))
    rows, columns = height // cell, width // cell
    row, column = np.mgrid[:rows, :columns].reshape(2, -1)
    # the center of a pixel is a whole number
    x = ((column + 0.5) * cell - 0.5 - middle.real) / iod
    y = ((row + 0.5) * cell - 0.5 - middle.imag) / iod
    is_eye = (np.abs(np.abs(x) - 0.5) < _EYE_ZONE[0]) & (y > _EYE_ZONE[1]) & (y < _EYE_ZONE[2])
    inside = ((x / 1.05) ** 2 + ((y - 0.42) / 1.3) ** 2 < 1) & ~is_eye
    x, y, row, column = (values[inside] for values in (x, y, row, column))
    one, zero = np.ones_like(x), np.zeros_like(x)
    mobile = np.max([share * _pair(x, y, *place)[2] for *place, share in _MOBILE], axis=0)
    return FaceGrid(
        cell=cell,
        rows=rows,
        columns=columns,
        inside=inside,
        middle=(middle.real, middle.imag),
        iod=iod,
        places=np.stack([x, y], axis=-1),
        turns=np.array([[one, zero, x, -y], [zero, one, y, x]]).transpose(2, 0, 1),
        trust=np.maximum(1 - mobile, _LEAST_TRUST),
        patterns=np.stack([_field(x, y, bump) for bump in PATTERNS.values()]),
        next_to=(np.abs(row[:, None] - row) <= 1) & (np.abs(column[:, None] - column) <= 1),
        eyes=(_box(left, iod), _box(right, iod)),
    )


def _pair(x: Doubles, y: Doubles, at_x: float, at_y: float, wide: float, high: float) -> tuple[Doubles, ...]:
    """A bump on the left, its mirror image on the right, and the greater of both."""
    left, right = (np.exp(-0.5 * (((x - side * at_x) / wide) ** 2 + ((y - at_y) / high) ** 2)) for side in (-1, 1))
    return left, right, np.maximum(left, right)


def _field(x: Doubles, y: Doubles, bump: Bump) -> Doubles:
    left, right, _ = _pair(x, y, bump.x, bump.y, bump.wide, bump.high)
    return np.stack([bump.u * (right - left), bump.v * (right + left)], axis=-1)


def _box(center: complex, iod: float) -> tuple[slice, slice]:
    wide, high = _EYE_BOX[0] * iod, _EYE_BOX[1] * iod
    rows = slice(round(center.imag - high), round(center.imag + high) + 1)
    return rows, slice(round(center.real - wide), round(center.real + wide) + 1)
