"""Detecting in threads: the frames' order, how far ahead it looks, and what stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import InputError
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.video.detection import AHEAD, AnyFrame, detect_faces
from affectkit.video.frames import SkippedFrame, VideoFrame


@dataclass(frozen=True, kw_only=True)
class OpenConfig(FaceDetectorConfig):
    """No fields."""


class Gate(FaceDetector[OpenConfig]):
    """Gives the frame's brightness as a box; of 100, when the gate is open, and of 200, never."""

    def __init__(self) -> None:
        super().__init__(OpenConfig())
        self.open = threading.Event()

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        level = int(image[0, 0, 0])
        if level == 100:
            assert self.open.wait(10)
        if level == 200:
            raise InputError("too bright")
        return [Face(box=(level, 0, 1, 1))]


def frames(levels: list[int], given: list[int] | None = None) -> Iterator[AnyFrame]:
    for index, level in enumerate(levels):
        if given is not None:
            given.append(index)
        if level < 0:
            yield SkippedFrame(index=index, pts=index / 25, reason="damaged")
        else:
            yield VideoFrame(index=index, pts=index / 25, image=np.full((4, 4, 3), level, np.uint8))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_frame_comes_once_and_in_order(threads: int) -> None:
    levels = [-1, *range(50), -1]
    found = list(detect_faces(frames(levels), Gate(), threads=threads))
    assert [frame.index for frame, _ in found] == list(range(len(levels)))
    assert [int(faces[0].box[0]) if faces else -1 for _, faces in found] == levels


def test_it_looks_ahead_and_not_too_far() -> None:
    detector, given = Gate(), list[int]()
    found = detect_faces(frames([100, *[1] * 99], given), detector, threads=2)
    threading.Timer(0.2, detector.open.set).start()
    next(found)
    assert len(given) == AHEAD
    assert len(list(found)) == 99


def test_what_is_known_of_live_frames_is_given_before_the_next_is_asked_for() -> None:
    def camera() -> Iterator[AnyFrame]:
        for frame in frames([1] * 30, given):
            time.sleep(0.02)
            yield frame

    for is_live, most in ((True, AHEAD // 2), (False, AHEAD)):
        given: list[int] = []
        next(detect_faces(camera(), Gate(), threads=2, is_live=is_live))
        assert len(given) <= most, is_live
        assert is_live or len(given) == most


def test_an_error_comes_in_its_place() -> None:
    found = detect_faces(frames([1, 2, 200, 3]), Gate(), threads=2)
    assert [next(found)[0].index for _ in range(2)] == [0, 1]
    with pytest.raises(InputError, match="too bright"):
        next(found)
