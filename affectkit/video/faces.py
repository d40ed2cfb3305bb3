"""Faces of each frame, and which of them are one person's. In this version one face is followed at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from affectkit.configs import FaceDetectorConfig, Tracking
from affectkit.errors import InputError, SpecError
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.registry import Registry
from affectkit.video.reader import VideoFrame


@dataclass(frozen=True, kw_only=True)
class TrackedFace:
    """A face and the number of its track: the same face in other frames has the same one."""

    track: int
    face: Face


@dataclass(frozen=True, kw_only=True)
class FacesInFrame:
    """A frame and its faces, largest first; none where the detector found none."""

    frame: VideoFrame
    faces: tuple[TrackedFace, ...]


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


def find_faces(frames: Iterable[VideoFrame], detector: FaceDetector[Any], tracking: Tracking) -> Iterator[FacesInFrame]:
    """Detect the face of each frame and follow it. After more than `max_gap_seconds` without one a new track begins.

    Raises:
        InputError: a frame has several faces, and `tracking` does not say to keep the largest.
    """
    track, last = 0, None
    for frame in frames:
        found = detector.detect(frame.image)[: tracking.max_faces]
        if len(found) > 1:
            raise InputError(
                f"frame {frame.index}: {len(found)} faces, and one is followed at a time yet; "
                "write tracking=Tracking(max_faces=1) to keep the largest"
            )
        if found:
            if last is not None and frame.pts - last > tracking.max_gap_seconds:
                track += 1
            last = frame.pts
        yield FacesInFrame(frame=frame, faces=tuple(TrackedFace(track=track, face=face) for face in found))
