"""Frames from memory: pictures that were read or made by other means, with their times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

from affectkit.errors import InputError
from affectkit.video.frames import VideoFrame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_END = object()


def array_frames(
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]],
    times: Iterable[float] | None = None,
    fps: float | None = None,
) -> Iterator[VideoFrame]:
    """Pictures as frames of a video. One of `times` and `fps` is needed: pictures alone have no clock.

    Arguments:
        frames: `(T, H, W, 3)` RGB or `(T, H, W)` gray, uint8; or any iterable of such pictures, used one at a time.
        times: seconds of each picture, finite and not decreasing.
        fps: pictures per second, where they are evenly spaced: picture `i` is at `i / fps`.

    Raises:
        InputError: both or none of `times` and `fps` are given, or their number, the times or a picture is not as said.
            What can be checked beforehand is; the rest where it shows.
    """
    if (times is None) == (fps is None):
        fact = "neither times nor fps" if times is None else "both times and fps"
        raise InputError(f"frames: {fact}; give the seconds of every frame, or fps=25 for their rate")
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps: {fps!r} is not accepted; give a positive number of frames per second")
    shape = getattr(frames, "shape", None)
    if shape is not None and (len(shape) not in (3, 4) or (len(shape) == 3 and shape[-1] == 3)):
        remedy = "write frames[None] if it is one picture" if len(shape) in (2, 3) else "give (T, H, W, 3) or (T, H, W)"
        raise InputError(f"frames: shape {tuple(shape)} is not accepted; {remedy}")
    if isinstance(frames, Sized) and isinstance(times, Sized) and len(frames) != len(times):
        raise InputError(f"times: {len(times)} for {len(frames)} frames; give one per frame")
    return _frames(frames, times, fps)


def _frames(frames: Iterable[Any], times: Iterable[float] | None, fps: float | None) -> Iterator[VideoFrame]:
    clock = iter(times) if times is not None else (index / float(fps or 1) for index in itertools.count())
    last = -math.inf
    index = -1
    for index, picture in enumerate(frames):
        time = next(clock, _END)
        if time is _END:
            raise InputError(f"times: {index} and more frames than that; give one per frame")
        pts = _checked_time(time, index, last)
        last = pts
        yield VideoFrame(index=index, pts=pts, image=_picture(picture, index))
    if index < 0:
        raise InputError("frames: none; give at least one picture")
    if times is not None and next(clock, _END) is not _END:
        raise InputError(f"times: more than {index + 1}, and {index + 1} frames; give one per frame")


def _checked_time(time: Any, index: int, last: float) -> float:
    try:
        pts = float(time)
    except (TypeError, ValueError):
        pts = math.nan
    if not math.isfinite(pts):
        raise InputError(f"times[{index}]: {time!r} is not accepted; give seconds, a finite number")
    if pts < last:
        raise InputError(f"times[{index}]: {pts!r} after {last!r}; give times that do not decrease")
    return pts


def _picture(picture: Any, index: int) -> NDArray[np.uint8]:
    import numpy as np

    array = np.asarray(picture)
    if array.dtype != np.uint8:
        raise InputError(f"frames[{index}]: of type {array.dtype}; give uint8, from 0 to 255")
    is_gray = array.ndim == 2
    if not (is_gray or (array.ndim == 3 and array.shape[2] == 3)) or 0 in array.shape:
        raise InputError(f"frames[{index}]: shape {array.shape} is not accepted; give (H, W, 3) RGB or (H, W) gray")
    if is_gray:
        array = np.repeat(array[..., None], 3, axis=2)
    image: NDArray[np.uint8] = np.ascontiguousarray(array)
    return image
