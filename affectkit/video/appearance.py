"""How a face looks, coarsely: enough to tell the people of one scene apart, and too little to know anyone again.

The box, somewhat enlarged so that hair counts, as 6x6 mean colors. Such a grid hardly changes with the box's jitter, an
expression or a blink, and differs by skin, hair, beard, glasses and light.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_CELLS = 6
# Along each side of a cell, at least.
_SAMPLES = 4
# Of the box's sides, so much on each side: hair, and little of the background.
_MARGIN = 0.1
# Gray levels. A patch of one color is no face; scripted boxes on empty pictures have nothing to tell.
_MIN_CONTRAST = 2.5
# Of 36; fewer say nothing.
_MIN_CELLS = 9


def appearance(image: NDArray[np.uint8], box: Box, others: Iterable[Box] = ()) -> NDArray[np.float64]:
    """Mean colors of 6x6 cells of the face, `(36, 3)` in [0, 1]; NaN where another face may be before it, and outside.

    Arguments:
        image: `(H, W, 3)` uint8.
        box: of the face, in pixels of the image.
        others: boxes of the other faces.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    left, top, right, bottom = _enlarged(box)
    xs, ys = np.linspace(left, right, _CELLS + 1), np.linspace(top, bottom, _CELLS + 1)
    cells = np.full((_CELLS, _CELLS, 3), np.nan)
    # Only cells that lie in the picture.
    columns = _range((xs[:-1] >= -0.5) & (xs[1:] <= width + 0.5))
    rows = _range((ys[:-1] >= -0.5) & (ys[1:] <= height + 0.5))
    x0, x1, y0, y1 = (
        max(round(float(edge)), 0) for edge in (xs[columns.start], xs[columns.stop], ys[rows.start], ys[rows.stop])
    )
    inside = image[y0:y1, x0:x1]
    if min(inside.shape[:2]) < 2:
        return cells.reshape(-1, 3)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    # A cell's mean needs few of its pixels.
    step = max(min((x1 - x0) // size[0], (y1 - y0) // size[1]) // _SAMPLES, 1)
    fewer = np.ascontiguousarray(inside[::step, ::step])
    # Of each channel: red, green and blue of one color differ, too.
    if float(fewer.std(axis=(0, 1)).max()) < _MIN_CONTRAST:
        return cells.reshape(-1, 3)
    cells[rows, columns] = cv2.resize(fewer, size, interpolation=cv2.INTER_AREA) / 255.0
    for other in others:
        x2, y2, x3, y3 = _enlarged(other)
        cells[_range((ys[1:] > y2) & (ys[:-1] < y3)), _range((xs[1:] > x2) & (xs[:-1] < x3))] = np.nan
    return cells.reshape(-1, 3)


def is_covered(box: Box, others: Iterable[Box]) -> bool:
    """Whether another face may hide a part of it: the two touch, hair included."""
    left, top, right, bottom = _enlarged(box)
    edges = map(_enlarged, others)
    return any(left < x1 and x0 < right and top < y1 and y0 < bottom for x0, y0, x1, y1 in edges)


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    """Root mean square of the differences, in [0, 1], over the cells that both know; None if those are too few."""
    squares = ((one - other) ** 2).mean(axis=-1)
    known = squares[squares == squares]  # NaN is unequal to itself
    return float(known.mean() ** 0.5) if known.size >= _MIN_CELLS else None


def _enlarged(box: Box) -> Box:
    """Left, top, right and bottom with the margin."""
    left, top, width, height = box
    x, y = _MARGIN * width, _MARGIN * height
    return left - x, top - y, left + width + x, top + height + y


def _range(is_in: NDArray[np.bool_]) -> slice:
    """From the first cell that is in to the last."""
    found = is_in.nonzero()[0].tolist()
    return slice(found[0], found[-1] + 1) if found else slice(0, 0)
