"""Detecting faces in frames: in their order, and several frames at once where the detector allows it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import SpecError
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.registry import Registry
from affectkit.video.reader import SkippedFrame, VideoFrame

AnyFrame = VideoFrame | SkippedFrame
Found = tuple[AnyFrame, list[Face]]
# More threads than this wait for the frames.
_MAX_THREADS = 4
# Frames that are looked at ahead: enough that this goes on while a network scores a batch. What waits is memory.
AHEAD = 16


def build_detector(config: FaceDetectorConfig, registry: Registry) -> FaceDetector[Any]:
    """The detector of a config.

    Raises:
        RegistryError: no plugin provides it.
        MissingDependencyError: an optional package is not installed.
        SpecError: its factory made something else.
    """
    component = registry.of_config(type(config))
    for requirement in component.spec.requires:
        requirement.check(component.id)
    detector = component.spec.factory(config)
    if not isinstance(detector, FaceDetector):
        made = f"{component.id} made {type(detector).__name__}"
        raise SpecError(f"faces: {made}, which is no FaceDetector; derive the class from that")
    return detector


def detect_faces(
    frames: Iterable[AnyFrame], detector: FaceDetector[Any], *, threads: int | None = None, is_live: bool = False
) -> Iterator[Found]:
    """Every frame with its faces, in order; a skipped frame has none.

    Arguments:
        frames: what the reader gives.
        detector: looks at several frames at once only if it is thread-safe.
        threads: how many; None for the number of processors, at most 4.
        is_live: frames come slowly, so one whose faces are known is given before the next one is asked for. Otherwise
            the threads always have something to do.
    """
    count = threads if threads is not None else min(os.cpu_count() or 1, _MAX_THREADS)
    if count == 1 or not detector.is_thread_safe:
        for frame in frames:
            yield frame, _detect(detector, frame)
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="affectkit-faces")
    waiting: deque[tuple[AnyFrame, Future[list[Face]]]] = deque()
    try:
        for frame in frames:
            waiting.append((frame, pool.submit(_detect, detector, frame)))
            while waiting and (len(waiting) >= AHEAD or (is_live and waiting[0][1].done())):
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _detect(detector: FaceDetector[Any], frame: AnyFrame) -> list[Face]:
    return [] if isinstance(frame, SkippedFrame) else detector.detect_at(frame.image, frame.index, frame.pts)
