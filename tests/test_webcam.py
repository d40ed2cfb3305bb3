"""Frames from a camera that a test plays: its clock, its errors, and that it is let go of."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.video import webcam
from affectkit.video.reader import SkippedFrame, VideoFrame
from affectkit.video.webcam import open_camera, read_webcam
from tests.clips import coded_packets, encode_with, moving_frames


class Camera:
    """A container that plays packets; None stands for `try again`."""

    def __init__(self, packets: list[Any], end: Exception | None = None) -> None:
        self.packets, self.end, self.is_open = list(packets), end, True
        self.context = av.CodecContext.create("mjpeg", "r")
        self.streams = SimpleNamespace(video=[SimpleNamespace(codec_context=self.context)])

    def demux(self, stream: Any) -> Iterator[Any]:
        while self.packets:
            packet = self.packets.pop(0)
            if packet is None:
                raise av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            yield packet
        if self.end is not None:
            raise self.end

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *given: object) -> None:
        self.is_open = False


def pictures(tmp_path: Path, stamps: list[int | None]) -> list[Any]:
    """Packets of JPEG pictures with stamps in milliseconds."""
    path = encode_with(tmp_path / "camera.mkv", moving_frames(len(stamps)), codec="mjpeg", pix_fmt="yuvj420p")
    packets = coded_packets(path)
    for packet, stamp in zip(packets, stamps, strict=True):
        packet.pts, packet.time_base = stamp, Fraction(1, 1000)
    return packets


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    def play(packets: list[Any], end: Exception | None = None) -> Camera:
        camera = Camera(packets, end)
        monkeypatch.setattr(webcam, "open_camera", lambda number: camera)
        return camera

    return play


def message(number: Any = 0, **given: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(read_webcam(number, **given))
    return str(caught.value)


def test_times_are_the_drivers_from_the_first_frame_on(tmp_path: Path, play: Any) -> None:
    camera = play(pictures(tmp_path, [90_000, 90_040, 90_110, 95_000]))
    frames = list(read_webcam(0, seconds=3.0))
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0.0), (1, 0.04), (2, 0.11)]
    assert all(isinstance(frame, VideoFrame) and frame.image.shape == (48, 64, 3) for frame in frames)
    assert not camera.is_open


def test_without_stamps_times_are_those_of_arrival(tmp_path: Path, play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(pictures(tmp_path, [None, None, None]))
    clock = count(1000)
    monkeypatch.setattr(webcam, "time", SimpleNamespace(monotonic=lambda: next(clock) / 8))
    times: list[float] = []
    with pytest.raises(InputError):
        times.extend(frame.pts for frame in read_webcam(0))
    assert times == [0.0, 0.125, 0.25]


def test_a_clock_that_is_set_back_and_a_stamp_that_is_missing(tmp_path: Path, play: Any) -> None:
    play(pictures(tmp_path, [500, 540, None, 100, 700]))
    times: list[float] = []
    with pytest.raises(InputError):
        times.extend(frame.pts for frame in read_webcam(0))
    assert times == pytest.approx([0.0, 0.04, 0.04, 0.04, 0.2])


def test_a_driver_that_says_try_again(tmp_path: Path, play: Any) -> None:
    first, second, third = pictures(tmp_path, [0, 40, 3000])
    play([None, first, None, None, second, third])
    assert [frame.pts for frame in read_webcam(0, seconds=2.0)] == [0.0, 0.04]


def test_a_damaged_frame_is_skipped(tmp_path: Path, play: Any) -> None:
    first, second, third = pictures(tmp_path, [0, 40, 3000])
    bad = av.Packet(bytes(50))
    bad.pts, bad.time_base = 40, second.time_base
    play([first, bad, third])
    frames = list(read_webcam(0, seconds=2.0))
    assert isinstance(frames[1], SkippedFrame)
    assert frames[1].reason == "can't be decoded (Invalid data found when processing input)"


@pytest.mark.parametrize(
    ("frames", "is_corrupt", "reason"),
    [
        ([], False, "can't be decoded (no picture came of it)"),
        ([SimpleNamespace(is_corrupt=True)], False, "damaged (the decoder guessed a part of it)"),
        ([SimpleNamespace(is_corrupt=False)], True, "damaged (the decoder guessed a part of it)"),
    ],
)
def test_other_frames_that_are_skipped(play: Any, frames: list[Any], is_corrupt: bool, reason: str) -> None:
    packet = SimpleNamespace(size=5, pts=0, time_base=Fraction(1), is_corrupt=is_corrupt)
    end = SimpleNamespace(size=5, pts=9, time_base=Fraction(1))
    camera = play([packet, end])
    camera.streams.video[0].codec_context = SimpleNamespace(decode=lambda packet: frames)
    assert [frame.reason for frame in read_webcam(0, seconds=2.0) if isinstance(frame, SkippedFrame)] == [reason]


def test_closing_lets_the_camera_go(tmp_path: Path, play: Any) -> None:
    camera = play(pictures(tmp_path, [0, 40]))
    frames = read_webcam(0)
    next(frames)
    assert camera.is_open
    frames.close()  # type: ignore[attr-defined]
    assert not camera.is_open


def test_a_camera_that_stops(tmp_path: Path, play: Any) -> None:
    play(pictures(tmp_path, [0, 40]), av.error.OSError(errno.ENODEV, "No such device"))
    assert message(1) == "camera 1: stopped (No such device); check its cable"
    play(pictures(tmp_path, [0, 40]))
    assert message() == "camera 0: stopped after 2 frames; check its cable, and whether another program uses it"


def test_a_camera_that_gives_nothing(play: Any) -> None:
    play([])
    assert message() == "camera 0: gives no picture; check its cable, and whether another program uses it"


@pytest.mark.parametrize("number", [-1, "0", 1.0, True])
def test_a_number_that_is_none(number: Any) -> None:
    assert message(number) == f"camera {number!r}: is no number of a camera; give 0 for the first"


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none(seconds: float) -> None:
    assert message(seconds=seconds) == f"seconds: {seconds!r} is not accepted; give a positive number"


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes opening fail, on a system where these cameras are."""

    def refuse(error: Exception, *cameras: str, platform: str = "linux") -> list[Any]:
        tried: list[Any] = []

        def fail(name: str, **given: Any) -> Any:
            tried.append((name, given))
            raise error

        monkeypatch.setattr(av, "open", fail)
        monkeypatch.setattr(webcam, "glob", lambda pattern: list(cameras))
        monkeypatch.setattr(sys, "platform", platform)
        return tried

    return refuse


MISSING = av.error.FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_no_such_camera(refuse: Any) -> None:
    tried = refuse(MISSING, "/dev/video2", "/dev/video0", "/dev/video-x")
    assert message(5) == "camera 5: no such camera; those here: 0, 2"
    assert tried == [("/dev/video5", {"format": "v4l2", "options": {}})]
    refuse(MISSING)
    assert message(0) == "camera 0: no camera is connected; connect one, or give a video file"
    refuse(av.error.OSError(errno.ENODEV, "No such device"), "/dev/video0")
    assert message(0) == "camera 0: no such camera; those here: none"


def test_no_permission(refuse: Any) -> None:
    refuse(av.error.PermissionError(errno.EACCES, "Permission denied"))
    assert message() == "camera 0: no permission to use it; add your user to the group 'video'"
    tried = refuse(av.error.PermissionError(errno.EPERM, "Operation not permitted"), platform="darwin")
    assert message() == "camera 0: no permission to use it; allow it in the system's settings"
    options = {"framerate": "30", "pixel_format": "nv12"}
    assert tried == [("0", {"format": "avfoundation", "options": options})]


def test_in_use(refuse: Any) -> None:
    refuse(av.error.OSError(errno.EBUSY, "Device or resource busy"))
    assert message() == "camera 0: is in use by another program; close that"


def test_other_refusals(refuse: Any) -> None:
    refuse(av.error.OSError(errno.EIO, "Input/output error"))
    assert message() == "camera 0: can't be opened (Input/output error); check that it is connected"


def test_windows_has_names_for_cameras(refuse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = refuse(av.error.OSError(errno.EIO, "I/O error"), platform="win32")
    devices = [
        SimpleNamespace(description="Microphone", media_types=["audio"]),
        SimpleNamespace(description="Front", media_types=["video"]),
        SimpleNamespace(description="Back", media_types=["video"]),
    ]
    monkeypatch.setattr("av.device.enumerate_input_devices", lambda interface: devices)
    assert message(1) == "camera 1: can't be opened (I/O error); check that it is connected"
    assert tried == [("video=Back", {"format": "dshow", "options": {}})]
    assert message(2) == "camera 2: no such camera; those here: 0, 1"


def test_an_open_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "open", lambda name, **given: name)
    monkeypatch.setattr(sys, "platform", "linux")
    assert open_camera(3) == "/dev/video3"


def test_pictures_are_upright_rgb(tmp_path: Path, play: Any) -> None:
    play(pictures(tmp_path, [0, 3000]))
    (frame,) = read_webcam(0, seconds=1.0)
    assert isinstance(frame, VideoFrame)
    assert np.abs(frame.image.astype(int) - moving_frames(2)[0]).mean() < 16
