"""Footage: what is analyzed, wherever it comes from: a file, a camera or an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.errors import InputError
from affectkit.video.arrays import array_frames
from affectkit.video.rate import Ticks
from affectkit.video.reader import probe, read_frames
from affectkit.video.webcam import read_webcam

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from affectkit.video.detection import AnyFrame


@dataclass(frozen=True, kw_only=True)
class Footage:
    """Frames that can be read once.

    Attributes:
        name: a file's name, `camera 0`, or `array`.
        size: bytes of the file; None for others.
        frames: how many will be read, about; None where that is not known.
        fps: nominal rate; None where there is none.
        is_live: whether it goes on until somebody stops it.
        read: gives the frames from a time on, seconds of container time; None for the start.
    """

    name: str
    size: int | None = None
    frames: int | None = None
    fps: float | None = None
    is_live: bool = False
    read: Callable[[float | None], Iterator[AnyFrame]]

    @property
    def seconds(self) -> float | None:
        """About how long it is; None where that is not known."""
        return None if self.frames is None or self.fps is None else self.frames / self.fps


def open_footage(
    video: str | Path | int | None,
    frames: NDArray[np.uint8] | Iterable[NDArray[np.uint8]] | None,
    times: Iterable[float] | None,
    *,
    start: float | None,
    stop: float | None,
    fps: float | None,
) -> Footage:
    """What the arguments of `analyze` mean, checked as far as that goes without decoding.

    Raises:
        InputError: neither or both of a video and frames; the video is missing or none; a range that it can't have.
    """
    if (video is None) == (frames is None):
        fact = "neither a video nor frames" if video is None else "a video and frames"
        raise InputError(f"video: {fact}; give one of the two")
    if times is not None and frames is None:
        raise InputError("times: without frames; a video has its own times, leave them out")
    if frames is not None:
        return _array(frames, times, start=start, stop=stop, fps=fps)
    if isinstance(video, int):
        return _camera(video, start=start, stop=stop, fps=fps)
    assert video is not None
    return _file(Path(video), start=start, stop=stop, fps=fps)


def _file(path: Path, *, start: float | None, stop: float | None, fps: float | None) -> Footage:
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a video file, or the folder to affectkit.analyze_many")
    if start is not None and stop is not None and stop <= start:
        raise InputError(f"{path}: stop {stop!r} is not after start {start!r}; give seconds of container time")
    info = probe(path)
    rate = info.average_fps if fps is None or info.average_fps is None else min(fps, info.average_fps)
    count = info.frames if start is None and stop is None and fps is None else None
    if count is None and info.duration is not None and rate is not None:
        end = info.duration if stop is None else min(stop, info.duration)
        count = max(round((end - (start or 0.0)) * rate), 1)

    def read(since: float | None) -> Iterator[AnyFrame]:
        return read_frames(path, start=start if since is None else since, stop=stop, fps=fps)

    return Footage(name=path.name, size=path.stat().st_size, frames=count, fps=rate, read=read)


def _camera(number: int, *, start: float | None, stop: float | None, fps: float | None) -> Footage:
    if start is not None:
        raise InputError(f"start: {start!r} of a camera, which has no past; leave it out")

    def read(since: float | None) -> Iterator[AnyFrame]:
        if since is not None:
            raise InputError(f"camera {number}: its frames are gone, so the run can't be resumed; begin a new one")
        return at_rate(read_webcam(number, seconds=stop), fps)

    return Footage(name=f"camera {number}", is_live=True, read=read)


def _array(
    frames: Any, times: Iterable[float] | None, *, start: float | None, stop: float | None, fps: float | None
) -> Footage:
    for name, value in (("start", start), ("stop", stop)):
        if value is not None:
            raise InputError(f"{name}: {value!r} of frames in memory; slice the array instead")
    if times is None and fps is None:
        raise InputError("times: missing; give the seconds of every frame, or fps=25 for their rate")

    def read(since: float | None) -> Iterator[AnyFrame]:
        given = array_frames(frames, times=times) if times is not None else array_frames(frames, fps=fps)
        resampled = at_rate(given, fps) if times is not None else given
        return (frame for frame in resampled if since is None or frame.pts >= since)

    # how many a rate leaves of frames with times of their own, only reading tells
    count = len(frames) if hasattr(frames, "__len__") and (times is None or fps is None) else None
    return Footage(name="array", frames=count, fps=fps, read=read)


def at_rate(frames: Iterator[AnyFrame], fps: float | None) -> Iterator[AnyFrame]:
    """The first frame at or after each tick `k / fps`, counted from the first frame's time; all, where fps is None."""
    if fps is None:
        return frames
    ticks = Ticks(fps)
    return (frame for frame in frames if ticks.takes(frame.pts))
