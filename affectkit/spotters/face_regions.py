"""Where the regions of a face lie in a steady crop, and how much each part of it may be trusted to move with the head.

Lengths are in distances between the eyes, from the point midway between them, x to the right, y down. Sums over pixels
are taken over square cells first; regions and head are sums over cells, so that one pass over the pixels serves both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Center and standard deviations of each region's window. Eyes are none: what lids do is seen apart.
REGIONS: dict[str, tuple[float, float, float, float]] = {
    "left outer brow": (-0.68, -0.30, 0.18, 0.13),
    "left inner brow": (-0.28, -0.30, 0.18, 0.13),
    "right inner brow": (0.28, -0.30, 0.18, 0.13),
    "right outer brow": (0.68, -0.30, 0.18, 0.13),
    "glabella": (0.0, -0.20, 0.14, 0.16),
    "left side of the nose": (-0.20, 0.45, 0.15, 0.18),
    "right side of the nose": (0.20, 0.45, 0.15, 0.18),
    "left cheek": (-0.52, 0.38, 0.20, 0.16),
    "right cheek": (0.52, 0.38, 0.20, 0.16),
    "upper lip": (0.0, 0.85, 0.22, 0.12),
    "left mouth corner": (-0.45, 1.0, 0.18, 0.18),
    "right mouth corner": (0.45, 1.0, 0.18, 0.18),
    "lower lip": (0.0, 1.15, 0.25, 0.12),
    "chin": (0.0, 1.42, 0.30, 0.15),
    "left fold": (-0.45, 0.72, 0.16, 0.14),
    "right fold": (0.45, 0.72, 0.16, 0.14),
}
# Regions that move together: an expression is sought in each group, since the others add nothing but their noise.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("left outer brow", "left inner brow"),
    ("right outer brow", "right inner brow"),
    ("left inner brow", "right inner brow", "glabella"),
    ("left outer brow", "left inner brow", "right inner brow", "right outer brow", "glabella"),
    ("left side of the nose", "right side of the nose", "left cheek", "right cheek"),
    ("left mouth corner", "left fold"),
    ("right mouth corner", "right fold"),
    ("left mouth corner", "right mouth corner", "left fold", "right fold"),
    ("upper lip", "lower lip", "chin"),
    ("upper lip", "lower lip", "chin", "left mouth corner", "right mouth corner", "left fold", "right fold"),
    tuple(REGIONS),
)
# Where expressions move the skin, and how little is then left of it as a witness of the head's motion.
_MOBILE = (
    (-0.5, 0.02, 0.30, 0.17, 1.0),
    (0.5, 0.02, 0.30, 0.17, 1.0),
    (-0.4, -0.30, 0.40, 0.15, 0.9),
    (0.4, -0.30, 0.40, 0.15, 0.9),
    (0.0, 1.05, 0.55, 0.30, 0.95),
)
# Cells within these are left out of regions and head: half width and height around each eye's center.
_EYE_ZONE = (0.36, -0.15, 0.20)
_EYE_BOX = (0.20, 0.14)
_CELL = 0.16


@dataclass(frozen=True)
class FaceGrid:
    """A crop's cells and what each belongs to.

    Attributes:
        cell: side of a cell, pixels.
        rows, columns: how many cells; the rest of the crop, to the right and below, is not used.
        middle: x and y of the point between the eyes, pixels.
        iod: distance between the eyes, pixels.
        x, y: centers of the cells `(N,)`, in distances between the eyes.
        head: weight of each cell in the head's motion, `(N,)` in [0, 1].
        windows: weight of each cell in each region, `(R, N)`.
        shares: of each region in the motion of each cell, `(R, N)`; they sum to 1 where regions are, and fade out.
        pixels: (x, y, 1) of every pixel of the crop, `(H, W, 3)`.
        centers: of the regions, `(R, 2)`.
        eyes: rows and columns of the box around each eye.
    """

    cell: int
    rows: int
    columns: int
    middle: tuple[float, float]
    iod: float
    x: Doubles
    y: Doubles
    head: Doubles
    windows: Doubles
    shares: Doubles
    pixels: Array
    centers: Doubles
    eyes: tuple[tuple[slice, slice], tuple[slice, slice]]


def face_grid(height: int, width: int, left: tuple[float, float], right: tuple[float, float]) -> FaceGrid:
    """The grid of a crop of that size in which the eyes' centers lie at `left` and `right`, x and y in pixels."""
    iod = right[0] - left[0]
    middle = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
    cell = max(4, round(_CELL * iod))
    rows, columns = height // cell, width // cell
    row, column = np.mgrid[:rows, :columns].reshape(2, -1)
    # the center of a pixel is a whole number
    x = ((column + 0.5) * cell - 0.5 - middle[0]) / iod
    y = ((row + 0.5) * cell - 0.5 - middle[1]) / iod
    is_face = (x / 1.0) ** 2 + ((y - 0.42) / 1.25) ** 2 < 1
    is_eye = (np.abs(np.abs(x) - 0.5) < _EYE_ZONE[0]) & (y > _EYE_ZONE[1]) & (y < _EYE_ZONE[2])
    mobile = np.max([share * _bump(x, y, *place) for *place, share in _MOBILE], axis=0)
    windows = np.stack([_bump(x, y, *place) for place in REGIONS.values()])
    windows[windows < 0.05] = 0
    return FaceGrid(
        cell=cell,
        rows=rows,
        columns=columns,
        middle=middle,
        iod=iod,
        x=x,
        y=y,
        head=np.where(is_face & ~is_eye, 1 - 0.95 * mobile, 0.0),
        windows=windows * (is_face & ~is_eye),
        shares=windows / np.maximum(windows.sum(axis=0), 0.3),
        pixels=_pixels(height, width),
        centers=np.array([place[:2] for place in REGIONS.values()]),
        eyes=(_box(left, iod), _box(right, iod)),
    )


def _bump(x: Doubles, y: Doubles, at_x: float, at_y: float, wide: float, high: float) -> Doubles:
    bump: Doubles = np.exp(-0.5 * (((x - at_x) / wide) ** 2 + ((y - at_y) / high) ** 2))
    return bump


def _box(center: tuple[float, float], iod: float) -> tuple[slice, slice]:
    wide, high = _EYE_BOX[0] * iod, _EYE_BOX[1] * iod
    rows = slice(round(center[1] - high), round(center[1] + high) + 1)
    return rows, slice(round(center[0] - wide), round(center[0] + wide) + 1)


def _pixels(height: int, width: int) -> Array:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(np.float32)
