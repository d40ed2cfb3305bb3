"""Frames from a camera, as they come, with the times at which they were taken."""

from __future__ import annotations

import errno
import math
import sys
import time
from collections.abc import Iterator
from glob import glob
from typing import Any

from affectkit.errors import InputError
from affectkit.video.decoding import CONCEALED, NOTHING, reason_of
from affectkit.video.frames import SkippedFrame, VideoFrame
from affectkit.video.pictures import Upright

_CAMERAS = "/dev/video"
# avfoundation says "try again" instead of waiting for a frame.
_PAUSE = 0.002


def read_webcam(number: int, *, seconds: float | None = None) -> Iterator[VideoFrame | SkippedFrame]:
    """Frames of a camera from now on, until the generator is closed or `seconds` have passed.

    Times are seconds since the first frame: by the camera driver's clock where it stamps frames, and otherwise by when
    they arrive. A frame that arrives damaged is a SkippedFrame. The camera is released with the generator.

    Arguments:
        number: of the camera, from 0, in the order in which the system lists them.
        seconds: how long; None for without end.

    Raises:
        InputError: `number` or `seconds` is not accepted; no such camera, no permission, in use, or it stops.
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise InputError(f"camera {number!r}: is no number of a camera; give 0 for the first")
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"seconds: {seconds!r} is not accepted; give a positive number")
    return _frames(number, seconds)


def open_camera(number: int) -> Any:
    """An open PyAV container of the camera, by the system's own interface for cameras.

    Raises:
        InputError: there is no such camera, or it can't be used.
    """
    import av
    from av.device import enumerate_input_devices

    options: dict[str, str] = {}
    if sys.platform == "darwin":
        name, interface, options = str(number), "avfoundation", {"framerate": "30", "pixel_format": "nv12"}
    elif sys.platform == "win32":
        interface = "dshow"
        names = [device.description for device in enumerate_input_devices(interface) if "video" in device.media_types]
        if number >= len(names):
            raise InputError(_missing(number, list(range(len(names)))))
        name = f"video={names[number]}"
    else:
        name, interface = f"{_CAMERAS}{number}", "v4l2"
    try:
        return av.open(name, format=interface, options=options)
    except (av.FFmpegError, OSError) as error:
        raise InputError(_refusal(number, error)) from error


class _Clock:
    """Seconds since the first frame: by the stamps of the driver where the first frame has one, else by arrival."""

    def __init__(self) -> None:
        self._first: Any = None
        self._is_stamped, self._last = False, 0.0

    def time_of(self, packet: Any, arrival: float) -> float:
        if self._first is None:
            self._is_stamped = packet.pts is not None
        if not self._is_stamped:
            now: Any = arrival
        elif packet.pts is None:
            return self._last
        else:
            now = packet.pts * packet.time_base  # a fraction: the difference is exact
        self._first = now if self._first is None else self._first
        # the system's clock, which some drivers use, is set back now and then
        self._last = max(float(now - self._first), self._last)
        return self._last


def _frames(number: int, seconds: float | None) -> Iterator[VideoFrame | SkippedFrame]:
    index, clock, upright = -1, _Clock(), Upright(f"camera {number}")
    with open_camera(number) as container:
        stream = container.streams.video[0]
        # several threads would hold frames back
        stream.codec_context.thread_count = 1
        for index, (packet, arrival) in enumerate(_packets(number, container, stream)):
            pts = clock.time_of(packet, arrival)
            if seconds is not None and pts >= seconds:
                return
            picture, reason = _decoded(packet, stream, upright)
            if picture is None:
                yield SkippedFrame(index=index, pts=pts, reason=reason)
            else:
                yield VideoFrame(index=index, pts=pts, image=picture)
    fact = "gives no picture" if index < 0 else f"stopped after {index + 1} frames"
    raise InputError(f"camera {number}: {fact}; check its cable, and whether another program uses it")


def _packets(number: int, container: Any, stream: Any) -> Iterator[tuple[Any, float]]:
    """Packets with the seconds at which they arrived, on a clock that is never set."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except BlockingIOError:
            time.sleep(_PAUSE)
            packets = container.demux(stream)
            continue
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"camera {number}: stopped ({reason_of(error)}); check its cable") from error
        if packet.size:
            yield packet, time.monotonic()


def _decoded(packet: Any, stream: Any, upright: Upright) -> tuple[Any, str]:
    import av

    try:
        frames = stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        return None, f"can't be decoded ({reason_of(error)})"
    if not frames:
        return None, NOTHING
    if frames[0].is_corrupt or packet.is_corrupt:
        return None, CONCEALED
    return upright(frames[0]), ""


def _refusal(number: int, error: BaseException) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        ends = (path.removeprefix(_CAMERAS) for path in glob(f"{_CAMERAS}[0-9]*"))
        return _missing(number, sorted(int(end) for end in ends if end.isdigit()))
    if code in (errno.EACCES, errno.EPERM):
        where = "add your user to the group 'video'" if sys.platform == "linux" else "allow it in the system's settings"
        return f"camera {number}: no permission to use it; {where}"
    if code == errno.EBUSY:
        return f"camera {number}: is in use by another program; close that"
    return f"camera {number}: can't be opened ({reason_of(error)}); check that it is connected"


def _missing(number: int, here: list[int]) -> str:
    if not here:
        return f"camera {number}: no camera is connected; connect one, or give a video file"
    others = ", ".join(map(str, [other for other in here if other != number])) or "none"
    return f"camera {number}: no such camera; those here: {others}"
