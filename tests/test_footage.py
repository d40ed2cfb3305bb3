"""Footage: a file, a camera or an array, checked before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.video.footage import Footage, at_rate, open_footage
from affectkit.video.reader import SkippedFrame, VideoFrame
from tests.clips import gray_frames, write_levels

LEVELS = [20, 60, 100, 140, 180, 220]
TIMES = [0.0, 0.04, 0.11, 0.12, 0.35, 0.4]
ARRAY = gray_frames(LEVELS, (4, 6))


def footage(video: Any = None, frames: Any = None, times: Any = None, **given: float | None) -> Footage:
    return open_footage(video, frames, times, **({"start": None, "stop": None, "fps": None} | given))


def numbers(given: Footage, since: float | None = None) -> list[int]:
    return [frame.index for frame in given.read(since)]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_levels(tmp_path / "clip.mp4", LEVELS, TIMES)


# A file.


def test_a_file(clip: Path) -> None:
    given = footage(str(clip))
    assert (given.name, given.size, given.frames, given.is_live) == ("clip.mp4", clip.stat().st_size, 6, False)
    assert given.fps is not None
    assert [frame.pts for frame in given.read(None)] == TIMES
    assert [frame.pts for frame in given.read(0.12)] == [0.12, 0.35, 0.4]


def test_a_range_of_a_file(clip: Path) -> None:
    given = footage(clip, start=0.1, stop=0.4)
    assert numbers(given) == [2, 3, 4]
    assert numbers(given, 0.35) == [4]
    assert given.frames is not None
    assert 3 <= given.frames <= 6
    assert numbers(footage(clip, start=0.1)) == [2, 3, 4, 5]
    assert numbers(footage(clip, stop=0.11)) == [0, 1]
    past = footage(clip, start=9.0, stop=10.0)
    assert (past.frames, numbers(past)) == (1, [])


def test_a_file_at_a_lower_rate(tmp_path: Path) -> None:
    clip = write_levels(tmp_path / "clip.mp4", [100] * 50)
    given = footage(clip, fps=5.0)
    assert (given.fps, given.frames) == (5.0, 10)
    assert numbers(given) == list(range(0, 50, 5))
    # a run goes on at the same ticks
    assert numbers(given, 0.6) == list(range(15, 50, 5))
    assert footage(clip, fps=500.0).fps == 25.0


def test_a_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), ARRAY[0])
    given = footage(tmp_path / "photo.png")
    assert given.name == "photo.png"
    assert [(frame.index, frame.pts) for frame in given.read(None)] == [(0, 0.0)]


# An array.


def test_an_array() -> None:
    given = footage(frames=ARRAY, times=TIMES)
    assert (given.name, given.size, given.frames, given.fps, given.is_live) == ("array", None, 6, None, False)
    frames = list(given.read(None))
    assert [frame.pts for frame in frames] == TIMES
    assert isinstance(frames[3], VideoFrame)
    assert np.array_equal(frames[3].image, ARRAY[3])
    assert numbers(given, 0.11) == [2, 3, 4, 5]


def test_an_array_with_a_rate() -> None:
    given = footage(frames=ARRAY, fps=10.0)
    assert given.fps == 10.0
    assert [frame.pts for frame in given.read(None)] == [i / 10 for i in range(6)]


def test_an_array_with_times_at_a_lower_rate() -> None:
    given = footage(frames=ARRAY, times=TIMES, fps=10.0)
    assert numbers(given) == [0, 2, 4, 5]
    assert numbers(given, 0.11) == [2, 4, 5]


def test_pictures_one_at_a_time() -> None:
    given = footage(frames=(picture for picture in ARRAY), times=iter(TIMES))
    assert given.frames is None
    assert numbers(given) == [0, 1, 2, 3, 4, 5]


# A camera.


def test_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def camera(number: int, *, seconds: float | None) -> Iterator[VideoFrame | SkippedFrame]:
        asked.append((number, seconds))
        for i in range(10):
            yield VideoFrame(index=i, pts=i / 10, image=ARRAY[0])

    monkeypatch.setattr("affectkit.video.footage.read_webcam", camera)
    given = footage(3, stop=2.0, fps=5.0)
    assert (given.name, given.size, given.frames, given.fps, given.is_live) == ("camera 3", None, None, None, True)
    assert asked == []
    assert numbers(given) == [0, 2, 4, 6, 8]
    assert asked == [(3, 2.0)]
    with pytest.raises(InputError) as caught:
        given.read(1.0)
    assert str(caught.value) == "camera 3: its frames are gone, so the run can't be resumed; begin a new one"


@pytest.mark.parametrize(
    ("times", "fps", "expected"),
    [
        ([0.0, 0.1, 0.2], None, [0, 1, 2]),
        ([0.0, 0.1, 0.2, 0.3], 5.0, [0, 2]),
        # counted from the first frame, whenever that was
        ([7.3, 7.4, 7.5, 7.6], 5.0, [0, 2]),
        # sums of floats fall short of the ticks
        ([0.1 * 3 * i for i in range(50)], 1 / 0.3, list(range(50))),
        # after a gap the ticks are where they were
        ([0.0, 0.95, 1.0, 1.1], 2.0, [0, 1, 2]),
        ([0.0, 0.0, 0.5, 0.5], 2.0, [0, 2]),
    ],
)
def test_a_lower_rate(times: list[float], fps: float | None, expected: list[int]) -> None:
    frames = [SkippedFrame(index=i, pts=pts, reason="") for i, pts in enumerate(times)]
    assert [frame.index for frame in at_rate(iter(frames), fps)] == expected


# What is refused.


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "video: neither a video nor frames; give one of the two"),
        ({"video": 0, "frames": ARRAY}, "video: a video and frames; give one of the two"),
        ({"video": "clip.mp4", "times": TIMES}, "times: without frames; a video has its own times, leave them out"),
        ({"frames": ARRAY}, "times: missing; give the seconds of every frame, or fps=25 for their rate"),
        ({"frames": ARRAY, "times": TIMES, "start": 1.0}, "start: 1.0 of frames in memory; slice the array instead"),
        ({"frames": ARRAY, "times": TIMES, "stop": 2.0}, "stop: 2.0 of frames in memory; slice the array instead"),
        ({"video": 0, "start": 1.0}, "start: 1.0 of a camera, which has no past; leave it out"),
        ({"video": "nowhere.mp4"}, "nowhere.mp4: no such file; check the path"),
        (
            {"video": "nowhere.mp4", "start": 2.0, "stop": 2.0},
            "nowhere.mp4: stop 2.0 is not after start 2.0; give seconds of container time",
        ),
        ({"video": "."}, ".: is a folder; give a video file, or the folder to affectkit.analyze_many"),
    ],
)  # fmt: skip
def test_what_is_refused(here: Path, given: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        footage(**given)
    assert str(caught.value) == text
