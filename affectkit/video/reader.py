"""Reading video: upright RGB frames with the container's own times, one at a time, every frame accounted for.

A frame's time is its presentation timestamp times the stream's time base. Frame number over frame rate is not a time:
on video of variable rate it is wrong by up to a whole micro-expression.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affectkit.errors import InputError
from affectkit.video.decoding import Decoder, Shown, reason_of
from affectkit.video.frames import SkippedFrame as SkippedFrame, VideoFrame as VideoFrame
from affectkit.video.opening import open_video, prepare
from affectkit.video.pictures import Upright
from affectkit.video.rate import Ticks
from affectkit.video.seeking import AstrayError, Entry, find_entry, packets_from, seconds
from affectkit.video.truncation import TruncatedWarning as TruncatedWarning, missing_bytes

MAX_FAILURES = 50


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
    with open_video(Path(path)) as (container, stream):
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


def read_frames(
    path: str | Path, *, start: float | None = None, stop: float | None = None, fps: float | None = None
) -> Iterator[VideoFrame | SkippedFrame]:
    """Frames of the video at `path` in the order of presentation, in constant memory.

    Every frame of the file is given once: as a VideoFrame, or as a SkippedFrame where it does not decode or is
    predicted from one that does not. Frames with equal times are both given. The file is closed with the generator.

    Arguments:
        path: any container that FFmpeg reads; a picture is a video of one frame.
        start: first time that is wanted, seconds of container time. What lies before the last keyframe before it is not
            decoded; times, pictures and `index` are those of reading the whole file.
        stop: first time that is not wanted.
        fps: at most so many frames per second: the first at or after each tick `k / fps`, counted from the file's first
            frame, with its own time and index. A rate above the video's gives every frame.

    Warns:
        TruncatedWarning: at the end, where the container says that the file was longer.

    Raises:
        InputError: the file is missing, is no video, holds no picture stream or no picture, or can't be decoded at all
            or for more than 50 frames in a row; its frames have no timestamps or ones that run backwards; or `stop` or
            `fps` is not accepted. Frames before the place where that shows have been given.
    """
    for name, value in (("start", start), ("stop", stop)):
        if value is not None and math.isnan(value):
            raise InputError(f"{path}: {name} {value!r} is no time; give seconds of container time")
    if start is not None and stop is not None and stop <= start:
        raise InputError(f"{path}: stop {stop!r} is not after start {start!r}; give seconds of container time")
    if fps is not None:
        Ticks(fps)
    return _frames(Path(path), start, stop, fps)


def _frames(
    path: Path, start: float | None, stop: float | None, fps: float | None
) -> Iterator[VideoFrame | SkippedFrame]:
    entry = find_entry(path, start) if start is not None else None
    ticks, upright = None, Upright(path)
    if fps is not None:
        ticks = Ticks(fps, first=entry.first, before=entry.before) if entry is not None else Ticks(fps)
    last = float("-inf")
    for index, pts, shown, is_avi in _in_order(path, entry):
        if pts is None:
            raise InputError(
                f"{path}: frame {index} has no timestamp; put the stream into a container that has, such as mp4"
            )
        if pts < last:
            # AVI says when frames are decoded, which is not when they are shown where some refer to later ones.
            remedy = "re-encode it, for example to mp4" if is_avi else "cut the file at that frame"
            raise InputError(
                f"{path}: frame {index} is at {pts:.3f} s, the one before it at {last:.3f} s; "
                f"time runs backwards there: {remedy}"
            )
        last = pts
        if stop is not None and pts >= stop:
            return
        if (ticks is not None and not ticks.takes(pts)) or (start is not None and pts < start):
            continue
        if shown.reason:
            yield SkippedFrame(index=index, pts=pts, reason=shown.reason)
        else:
            yield VideoFrame(index=index, pts=pts, image=upright(shown.picture))


_Placed = tuple[int, float | None, Shown, bool]


def _in_order(path: Path, entry: Entry | None) -> Iterator[_Placed]:
    """Index, time and frame, from the entry on, by the quickest way that leads to what one thread gives from the start.

    Several threads, or a seek, lead there only where nothing is damaged; otherwise the slower way is taken from the
    frame on that was given last.
    """
    given = entry.index - 1 if entry is not None else -1
    may_thread, last = True, None
    while True:
        try:
            for placed in _decoded(path, entry, may_thread):
                if placed[0] > given:
                    given, last = placed[0], placed[1]
                    yield placed
            return
        except AstrayError:
            if may_thread:
                may_thread = False
                entry = find_entry(path, last) if last is not None else entry
            else:
                entry = None


def _decoded(path: Path, entry: Entry | None, may_thread: bool) -> Iterator[_Placed]:
    with open_video(path) as (container, stream):
        is_avi, context = container.format.name == "avi", stream.codec_context
        threaded = prepare(container, stream, may_thread=may_thread)
        decoder = Decoder(stream, is_ordered=not (is_avi and context.has_b_frames))
        index = entry.index if entry is not None else 0
        # losses before the first picture, since there may be none at all
        leading: list[_Placed] | None = [] if entry is None else None
        for shown in _shown(path, container, stream, decoder, entry, threaded):
            pts = seconds(shown.ticks, stream.time_base) if shown.ticks is not None else None
            if entry is not None and pts is not None and pts < entry.start:
                continue
            # a seek is exact unless the first frame that it leads to is lost
            if shown.reason and (threaded or (entry is not None and index == entry.index)):
                raise AstrayError
            placed = index, pts, shown, is_avi
            index += 1
            if leading is not None and shown.reason:
                leading.append(placed)
                continue
            yield from leading or ()
            yield placed
            leading = None
        if leading is not None:
            raise InputError(_nothing(path, len(leading), decoder.error))
    if missing := missing_bytes(path):
        text = f"{path}: is cut off after {index} frames: {missing} bytes are missing; copy it again"
        warnings.warn(text, TruncatedWarning, stacklevel=2)


def _shown(
    path: Path, container: Any, stream: Any, decoder: Decoder, entry: Entry | None, threaded: bool
) -> Iterator[Shown]:
    """The frames in the order of presentation, until the end or what makes it hopeless to go on."""
    import av

    try:
        for packet in container.demux(stream) if entry is None else packets_from(container, stream, entry):
            yield from decoder.send(packet)
            if threaded and decoder.failures:
                raise AstrayError
            if decoder.failures > MAX_FAILURES:
                where = "" if packet.pts is None else f" before {seconds(packet.pts, stream.time_base):.3f} s"
                raise InputError(
                    f"{path}: {decoder.failures} frames in a row{where} can't be decoded ({decoder.error}); "
                    "the file is damaged there, cut or repair it"
                )
    except av.FFmpegError as error:
        raise InputError(f"{path}: can't be read to its end ({reason_of(error)}); copy it again") from error
    yield from decoder.finish()


def _nothing(path: Path, lost: int, error: str) -> str:
    if not lost:
        return f"{path}: holds no picture; give a video with frames"
    with path.open("rb") as file:
        head = file.read(21)
    if head[8:16] == b"WEBPVP8X" and head[20] & 2:
        return f"{path}: is an animated WebP, which can't be decoded; convert it, for example to gif or mp4"
    fact = "its only frame can't be decoded" if lost == 1 else f"none of its {lost} frames can be decoded"
    return f"{path}: {fact} ({error or 'no picture came of it'}); it is damaged, copy it again"
