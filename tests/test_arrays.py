"""Frames from memory: checked pictures with checked times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.video.arrays import array_frames

CLIP = np.random.default_rng(0).integers(0, 255, (4, 6, 8, 3), dtype=np.uint8)


def message(frames: Any, **given: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(array_frames(frames, **given))
    return str(caught.value)


def test_times_are_kept() -> None:
    frames = list(array_frames(CLIP, times=[0.5, 0.5, 0.7, 2]))
    assert [(frame.index, frame.pts) for frame in frames] == [(0, 0.5), (1, 0.5), (2, 0.7), (3, 2.0)]
    assert all(np.array_equal(frame.image, picture) for frame, picture in zip(frames, CLIP, strict=True))


def test_a_rate_gives_times() -> None:
    assert [frame.pts for frame in array_frames(CLIP, fps=200)] == [0.0, 0.005, 0.01, 0.015]


def test_gray() -> None:
    for frames in (CLIP[..., 0], list(CLIP[..., 0])):
        for frame, picture in zip(array_frames(frames, fps=25), CLIP, strict=True):
            assert frame.image.shape == (6, 8, 3)
            assert (frame.image == picture[..., :1]).all()


def test_any_iterable_is_used_one_picture_at_a_time() -> None:
    used = []

    def pictures() -> Iterable[Any]:
        for picture in CLIP:
            used.append(1)
            yield picture

    frames = array_frames(pictures(), times=(index / 10 for index in range(4)))
    assert not used
    next(frames)
    assert len(used) == 1
    assert [frame.pts for frame in frames] == [0.1, 0.2, 0.3]


def test_pictures_are_not_copied_and_not_changed() -> None:
    before = CLIP.copy()
    frame = next(array_frames(CLIP, fps=1))
    assert np.shares_memory(frame.image, CLIP)
    assert np.array_equal(CLIP, before)


def test_a_view_becomes_contiguous() -> None:
    frame = next(array_frames(CLIP[:, :, ::-1], fps=1))
    assert frame.image.flags.c_contiguous
    assert np.array_equal(frame.image, CLIP[0, :, ::-1])


def test_the_clock_is_needed_once() -> None:
    advice = "give the seconds of every frame, or fps=25 for their rate"
    assert message(CLIP) == f"frames: neither times nor fps; {advice}"
    assert message(CLIP, times=[0, 1, 2, 3], fps=25) == f"frames: both times and fps; {advice}"


@pytest.mark.parametrize("fps", [0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none(fps: float) -> None:
    assert message(CLIP, fps=fps) == f"fps: {fps!r} is not accepted; give a positive number of frames per second"


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((6, 8, 3), "write frames[None] if it is one picture"),
        ((6, 8), "write frames[None] if it is one picture"),
        ((6,), "give (T, H, W, 3) or (T, H, W)"),
        ((1, 2, 6, 8, 3), "give (T, H, W, 3) or (T, H, W)"),
    ],
)
def test_arrays_of_other_shapes(shape: tuple[int, ...], remedy: str) -> None:
    assert message(np.zeros(shape, np.uint8), fps=1) == f"frames: shape {shape} is not accepted; {remedy}"


@pytest.mark.parametrize("shape", [(6, 8, 4), (6, 8, 1), (5,), (0, 8, 3)])
def test_pictures_of_other_shapes(shape: tuple[int, ...]) -> None:
    assert message([CLIP[0], np.zeros(shape, np.uint8)], fps=1) == (
        f"frames[1]: shape {shape} is not accepted; give (H, W, 3) RGB or (H, W) gray"
    )


def test_pictures_of_other_types() -> None:
    assert message(CLIP / 255, fps=1) == "frames[0]: of type float64; give uint8, from 0 to 255"


@pytest.mark.parametrize("time", [float("nan"), float("inf"), None, "soon"])
def test_times_that_are_none(time: Any) -> None:
    assert message(CLIP, times=[0, 1, time, 3]) == (
        f"times[2]: {time!r} is not accepted; give seconds, a finite number"
    )


def test_times_that_decrease() -> None:
    assert message(CLIP, times=[0, 0.5, 0.4, 1]) == "times[2]: 0.4 after 0.5; give times that do not decrease"


def test_as_many_times_as_frames() -> None:
    expected = "times: 3 for 4 frames; give one per frame"
    with pytest.raises(InputError, match=re.escape(expected)):
        array_frames(CLIP, times=[0, 1, 2])
    assert message(CLIP, times=[0, 1, 2]) == expected
    assert message(CLIP, times=iter([0, 1, 2])) == "times: 3 and more frames than that; give one per frame"
    assert message(iter(CLIP), times=range(5)) == "times: more than 4, and 4 frames; give one per frame"


def test_no_frames() -> None:
    assert message(CLIP[:0], fps=25) == "frames: none; give at least one picture"
    assert message([], times=[]) == "frames: none; give at least one picture"
