"""Where to begin so that decoding from there gives what decoding the whole file would.

The packets before a range are looked at and not decoded, which takes microseconds each: their number is the index of
the range's first frame, and the last keyframe that is shown before the range is where to begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from affectkit.video.opening import open_video
from affectkit.video.packets import holds_frame

_PROGRESSIVE = (0, 1)


class AstrayError(Exception):
    """This way of reading can't give what decoding the whole file in one thread would."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Where a range begins.

    Attributes:
        start: first time of the range, seconds.
        index: of the first frame of the range, in the order of presentation.
        first: time of the file's first frame, seconds.
        before: time of the last frame before the range, seconds.
        keyframe: presentation time of the keyframe to begin with, in ticks.
        decoded_at: decoding time of that keyframe, in ticks.
    """

    start: float
    index: int
    first: float
    before: float
    keyframe: int
    decoded_at: int


def find_entry(path: Path, start: float) -> Entry | None:
    """The entry for a range from `start` on; None where the file has to be read from its beginning.

    That is so where no keyframe lies before the range, and where packets don't tell what is needed: they lack times,
    times jump backwards, or two packets may make one interlaced frame.

    Raises:
        InputError: as `open_video`.
    """
    import av

    with open_video(path) as (container, stream):
        if container.format.name == "avi" or stream.codec_context.field_order not in _PROGRESSIVE:
            return None
        try:
            return _surveyed(container, stream, start)
        except av.FFmpegError:
            return None


def _surveyed(container: Any, stream: Any, start: float) -> Entry | None:
    codec, unit = stream.codec_context.name, stream.time_base
    count, last_dts, keyframe = 0, None, None
    first = before = None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        pts, dts = packet.pts, packet.dts
        if pts is None or (dts is not None and last_dts is not None and dts < last_dts):
            return None
        last_dts = dts if dts is not None else last_dts
        # nothing is shown before it is decoded, so nothing that follows lies before the range
        if dts is not None and seconds(dts, unit) >= start:
            break
        if not holds_frame(packet, codec) or seconds(pts, unit) >= start:
            continue
        count += 1
        first = pts if first is None else min(first, pts)
        before = pts if before is None else max(before, pts)
        if packet.is_keyframe and dts is not None and (keyframe is None or pts > keyframe[0]):
            keyframe = pts, dts
    if keyframe is None or first is None or before is None:
        return None
    return Entry(
        start=start,
        index=count,
        first=seconds(first, unit),
        before=seconds(before, unit),
        keyframe=keyframe[0],
        decoded_at=keyframe[1],
    )


def packets_from(container: Any, stream: Any, entry: Entry) -> Iterator[Any]:
    """The packets from the entry's keyframe on.

    Raises:
        AstrayError: the container can't be brought there.
    """
    import av

    try:
        container.seek(entry.decoded_at, stream=stream)
    except av.FFmpegError as error:
        raise AstrayError from error
    is_there = False
    for packet in container.demux(stream):
        if not is_there and packet.size:
            if packet.dts is not None and packet.dts > entry.decoded_at:
                break
            is_there = packet.is_keyframe and packet.pts == entry.keyframe
        if is_there:
            yield packet
    if not is_there:
        raise AstrayError


def seconds(ticks: int, unit: Fraction) -> float:
    """A container's time in seconds; the same float everywhere, so that times can be compared."""
    return float(ticks * unit)
