"""From a decoded picture of any format to upright RGB."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The display matrix is 16.16 fixed point.
_ONE = 1 << 16
# More than FFmpeg has.
_SIDE_DATA_TYPES = 64


class Upright:
    """Makes the pictures of one video upright RGB of 8 bits.

    The display matrix is looked up in the first picture and wherever its angle changes, and not in every one: PyAV ties
    a frame to what comes with it in a cycle, and frames would pile up until those are collected.
    """

    def __init__(self, name: str | Path) -> None:
        """Arguments:
        name: of the video, for errors.
        """
        self._name = name
        self._angle: int | None = None
        self._matrix: tuple[int, ...] | None = None

    def __call__(self, frame: Any) -> NDArray[np.uint8]:
        """The picture as `(H, W, 3)` uint8 with the display matrix applied: quarter turns and mirrorings.

        Gray becomes three equal channels, 16 bits become 8, and what is transparent is laid over white, since the color
        under it is arbitrary.

        Raises:
            InputError: the picture is to be turned by an angle that is no quarter turn.
        """
        if frame.rotation != self._angle:
            self._angle, self._matrix = frame.rotation, _display_matrix(frame)
        image = _rgb(frame)
        return image if self._matrix is None else _turned(image, self._matrix, self._name)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    import numpy as np

    side_data = _display_matrix_only(frame).side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return None
    return tuple(int(value) for value in np.frombuffer(bytes(side_data), dtype=np.int32)[:5])


def _turned(image: NDArray[np.uint8], matrix: tuple[int, ...], name: str | Path) -> NDArray[np.uint8]:
    import numpy as np

    # Column (p, q) goes to (a p + c q, b p + d q), with x to the right and y down.
    a, b, _, c, d = matrix
    if (abs(a), abs(b), abs(c), abs(d)) == (0, _ONE, _ONE, 0):
        image, a, d = image.transpose(1, 0, 2), c, b
    elif (abs(a), abs(b), abs(c), abs(d)) != (_ONE, 0, 0, _ONE):
        raise InputError(f"{name}: its pictures are to be turned by no quarter turns; re-encode it upright")
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _rgb(frame: Any) -> NDArray[np.uint8]:
    # one thread: FFmpeg's others cost more than they bring at usual sizes
    if not _has_alpha(frame.format.name):
        picture: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", threads=1)
        return picture
    import numpy as np

    rgba = frame.to_ndarray(format="rgba", threads=1)
    color, alpha = rgba[..., :3], rgba[..., 3:].astype(np.uint16)
    blended: NDArray[np.uint8] = ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return blended


@lru_cache(maxsize=32)
def _has_alpha(name: str) -> bool:
    from av.video.format import VideoFormat

    # a palette's colors have alpha of their own
    return name == "pal8" or any(component.is_alpha for component in VideoFormat(name).components)


def _display_matrix_only(frame: Any) -> Any:
    """The frame without what else comes with it.

    PyAV fails on a type that is newer than it is, such as EXIF, and frees what it is not to free where one has a name,
    as a PNG's color profile has: the interpreter then crashes at its next garbage collection.
    """
    from av.filter import Graph
    from av.sidedata.sidedata import Type

    graph = Graph()
    # which one does not matter: no time is read behind the graph
    base = frame.time_base or Fraction(1, 1000)
    chain = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=base)]
    for number in set(range(_SIDE_DATA_TYPES)) - {Type.DISPLAYMATRIX.value}:
        chain.append(graph.add("sidedata", f"mode=delete:type={number}"))
    chain.append(graph.add("buffersink"))
    graph.link_nodes(*chain).configure()
    graph.push(frame)
    return graph.pull()
