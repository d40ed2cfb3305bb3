"""Reading video: upright RGB frames with the container's own times, one at a time.

A frame's time is its presentation timestamp times the stream's time base. Frame number over frame rate is not a time:
on video of variable rate it is wrong by up to a whole micro-expression.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class VideoFrame:
    """One picture of a video.

    Attributes:
        index: position in the file, from 0.
        pts: seconds of container time.
        image: `(H, W, 3)` uint8, RGB, upright: the container's rotation, or a photo's EXIF orientation, is applied.
    """

    index: int
    pts: float
    image: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a container says about its video, without decoding it. None where it does not say.

    Attributes:
        width: pixels, as stored: before rotation.
        height: pixels, as stored.
        frames: how many; may be wrong, since containers need not know.
        duration: seconds.
        average_fps: frames over duration, for display only: it is no clock.
    """

    width: int
    height: int
    frames: int | None
    duration: float | None
    average_fps: float | None


def probe(path: str | Path) -> VideoInfo:
    """What the container says about the video at `path`.

    Raises:
        InputError: the file is missing, is no video or holds no picture stream.
    """
    with _opened(Path(path)) as (container, stream):
        duration = None
        if stream.duration is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / 1_000_000  # microseconds
        return VideoInfo(
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            frames=stream.frames or None,
            duration=duration,
            average_fps=float(stream.average_rate) if stream.average_rate else None,
        )


def read_frames(path: str | Path, *, start: float | None = None, stop: float | None = None) -> Iterator[VideoFrame]:
    """Frames of the video at `path` in order, in constant memory. The file is closed with the generator.

    Arguments:
        path: any container that FFmpeg reads; a picture is a video of one frame.
        start: first time that is wanted, seconds of container time. What lies before it is decoded and passed over,
            so that `index` stays the position in the file.
        stop: first time that is not wanted.

    Raises:
        InputError: the file is missing, is no video, holds no picture stream or no picture, is damaged, or its frames
            have no timestamps or ones that run backwards.
    """
    if start is not None and stop is not None and stop <= start:
        raise InputError(f"{path}: stop {stop!r} is not after start {start!r}; give seconds of container time")
    return _frames(Path(path), start, stop)


def _frames(path: Path, start: float | None, stop: float | None) -> Iterator[VideoFrame]:
    last = float("-inf")
    index = -1
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        for index, frame in enumerate(_decoded(path, container, stream)):
            if frame.pts is None:
                raise InputError(
                    f"{path}: frame {index} has no timestamp; put the stream into a container that has, such as mp4"
                )
            pts = float(frame.pts * frame.time_base)
            if pts < last:
                # AVI says when frames are decoded, which is not when they are shown where some refer to later ones.
                is_avi = container.format.name == "avi"
                remedy = "re-encode it, for example to mp4" if is_avi else "cut the file at that frame"
                raise InputError(
                    f"{path}: frame {index} is at {pts:.3f} s, the one before it at {last:.3f} s; "
                    f"time runs backwards there: {remedy}"
                )
            last = pts
            if stop is not None and pts >= stop:
                return
            if start is None or pts >= start:
                yield VideoFrame(index=index, pts=pts, image=_upright(path, frame))
    if index < 0:
        raise InputError(f"{path}: holds no picture; give a video with frames")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream."""
    import av  # here, since FFmpeg takes a tenth of a second to load

    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a video file")
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty; give a video file")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: is no video ({_reason(error)}); give a file that FFmpeg reads") from error
    with container:
        if not container.streams.video:
            kinds = sorted({stream.type for stream in container.streams})
            raise InputError(f"{path}: has no video stream, only {', '.join(kinds) or 'none'}; give a video file")
        yield container, container.streams.video[0]


def _decoded(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    import av

    index = 0
    frames = container.decode(stream)
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            return
        except av.FFmpegError as error:
            fact = f"can't be decoded after {index} frames ({_reason(error)})"
            raise InputError(f"{path}: {fact}; the file is damaged there, cut or repair it") from error
        yield frame
        index += 1


def _upright(path: Path, frame: Any) -> NDArray[np.uint8]:
    """The picture with the display matrix applied: quarter turns and mirrorings."""
    import numpy as np

    image: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    side_data = _side_data(frame).get("DISPLAYMATRIX")
    if side_data is None:
        return image
    # Column (p, q) goes to (a p + c q, b p + d q), with x to the right and y down.
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(side_data), dtype=np.int32)[:5])
    if (abs(a), abs(b), abs(c), abs(d)) == (0, _ONE, _ONE, 0):
        image, a, d = image.transpose(1, 0, 2), c, b
    elif (abs(a), abs(b), abs(c), abs(d)) != (_ONE, 0, 0, _ONE):
        raise InputError(f"{path}: its pictures are to be turned by no quarter turns; re-encode it upright")
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _side_data(frame: Any) -> Any:
    """What comes with the frame, as far as PyAV knows it: it fails on all of it where one type is newer than it is."""
    from av.filter import Graph
    from av.sidedata.sidedata import Type

    try:
        return frame.side_data
    except ValueError:
        graph = Graph()
        chain = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
        ]
        for number in sorted(set(range(_SIDE_DATA_TYPES)).difference(item.value for item in Type)):
            chain.append(graph.add("sidedata", f"mode=delete:type={number}"))
        chain.append(graph.add("buffersink"))
        graph.link_nodes(*chain).configure()
        graph.push(frame)
        return graph.pull().side_data


def _reason(error: BaseException) -> str:
    # FFmpeg's own words, without the number and the path that PyAV puts around them
    return str(getattr(error, "strerror", None) or error)
