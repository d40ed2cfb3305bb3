"""Which faces of successive frames are one person's. Who that is, nobody says: a track is a number.

Frame by frame, in the manner of ByteTrack (Zhang et al., ECCV 2022): the surer faces are assigned to the tracks first,
all at once and at the smallest cost, then the others to the tracks that are left; what remains begins a track. The cost
is about place, size and appearance (`tracks`). Nothing is random, and no later frame is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affectkit.configs import Tracking
from affectkit.errors import InputError
from affectkit.records import Face
from affectkit.video.appearance import Box, appearance, is_covered
from affectkit.video.assignment import assign
from affectkit.video.frames import VideoFrame
from affectkit.video.tracks import MAX_COST, Sight, Track, area, shared_area

# Two boxes are one face's where they share so much of their union, or of the smaller one.
_SAME_UNION = 0.4
_SAME_INSIDE = 0.7
# Of two such boxes that share even this much of their union, one is left out before anything else.
_SAME_BOX = 0.7
# A newcomer takes a place of `max_faces` where its area is so many times that of a face which has one.
_LARGER = 1.5
# Faces that are remembered at the most, whatever `max_gap_seconds` says.
_MAX_TRACKS = 256


@dataclass(frozen=True, kw_only=True)
class TrackedFace:
    """A face and the number of its track: the same face in other frames has the same one."""

    track: int
    face: Face


class Tracker:
    """Follows the faces of one video.

    A face that the detector numbers keeps that number; a detector should number all of them or none. Of several boxes
    of one face, one counts. Tracks are numbered from 0 in the order in which they are given out.
    """

    def __init__(self, config: Tracking) -> None:
        self.config = config
        self._tracks: list[Track] = []
        self._next = 0
        self._last = -math.inf

    def update(self, frame: VideoFrame, faces: Sequence[Face]) -> tuple[TrackedFace, ...]:
        """The frame's faces with their tracks, largest first. Frames come in the order of their times.

        Raises:
            InputError: a box is not finite, or two faces of the frame have the same given number.
        """
        _check(frame, faces)
        last, self._last = self._last, frame.pts
        self._forget(frame.pts)
        shown: list[tuple[Track, Face]] = [(self._given(frame, face), face) for face in faces if _is_given(face)]
        shown += self._match(frame, [face for face in faces if not _is_given(face)], last)
        self._keep([track for track, _ in shown])
        shown = sorted((item for item in shown if item[0].is_kept), key=lambda item: -area(item[1].box))
        return tuple(TrackedFace(track=self._number(track), face=face) for track, face in shown)

    def snapshot(self) -> dict[str, Any]:
        """What has to be known to go on from here with the same numbers; plain data, as JSON has it."""
        last = None if math.isinf(self._last) else self._last
        return {"next": self._next, "last": last, "tracks": [track.snapshot() for track in self._tracks]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._next = state["next"]
        self._last = -math.inf if state["last"] is None else state["last"]
        self._tracks = [Track.restored(track) for track in state["tracks"]]

    def _forget(self, pts: float) -> None:
        alive = [track for track in self._tracks if pts - track.pts <= self.config.max_gap_seconds]
        newest = sorted(alive, key=lambda track: -track.pts)[:_MAX_TRACKS]
        self._tracks = alive if len(newest) == len(alive) else newest

    def _given(self, frame: VideoFrame, face: Face) -> Track:
        sight = Sight(face, appearance(frame.image, face.box))
        for track in self._tracks:
            if track.is_given and track.number == face.track:
                track.follow(sight, frame.pts)
                return track
            if track.number == face.track:
                track.number = None
        self._tracks.append(Track.start(sight, frame.pts))
        self._next = max(self._next, (face.track or 0) + 1)
        return self._tracks[-1]

    def _match(self, frame: VideoFrame, faces: Sequence[Face], last: float) -> list[tuple[Track, Face]]:
        """The faces that the detector does not number, each with its track. `last` is the time of the frame before."""
        seen = self._looked_at(frame, faces)
        is_sure = [face.face.score >= self.config.min_confidence for face in seen]
        free = [track for track in self._tracks if not track.is_given]
        pairs: list[tuple[Track, Sight]] = []
        for group in (True, False):
            waiting = [face for face, sure in zip(seen, is_sure, strict=True) if sure is group]
            costs = [[track.cost(face, frame.pts) for face in waiting] for track in free]
            found = assign(costs, MAX_COST)
            pairs += [(free[row], waiting[column]) for row, column in found]
            taken = {row for row, _ in found}
            free = [track for row, track in enumerate(free) if row not in taken]
        # A face that was hidden does not come back as a second box of the one before it.
        front = [face for track, face in pairs if track.pts >= last]
        pairs = [(track, face) for track, face in pairs if track.pts >= last or not _is_double(face, front)]
        counted = [face for _, face in pairs]
        for track, face in pairs:
            track.follow(face, frame.pts)
        for face in sorted(seen, key=lambda face: -face.face.score):
            if not any(face is other for other in counted) and not _is_double(face, counted):
                self._tracks.append(Track.start(face, frame.pts))
                pairs.append((self._tracks[-1], face))
                counted.append(face)
        return [(track, face.face) for track, face in pairs]

    def _looked_at(self, frame: VideoFrame, faces: Sequence[Face]) -> list[Sight]:
        """The faces without the boxes that are there twice, surest first."""
        alone: list[Face] = []
        for face in sorted(faces, key=lambda face: -face.score):
            if all(_of_union(face.box, other.box) <= _SAME_BOX for other in alone):
                alone.append(face)
        seen = []
        for face in alone:
            others = [other for other in alone if other is not face]
            look = appearance(frame.image, face.box, [other.box for other in others])
            # Of two that touch, the one behind is the one of which the detector is less sure; a second box is neither.
            front = [other.box for other in others if other.score >= face.score]
            front = [box for box in front if not _is_same_face(face.box, box)]
            seen.append(Sight(face, look, is_covered=is_covered(face.box, front)))
        return seen

    def _keep(self, shown: list[Track]) -> None:
        """Give the places of `max_faces` to the largest faces; those that have one are hard to drive out."""
        present = [track for track in self._tracks if track.is_kept or any(track is other for other in shown)]
        present.sort(key=lambda track: -area(track.box) * (_LARGER if track.is_kept else 1.0))
        kept = present[: self.config.max_faces]
        for track in self._tracks:
            track.is_kept = any(track is other for other in kept)

    def _number(self, track: Track) -> int:
        if track.number is None:
            track.number, self._next = self._next, self._next + 1
        return track.number


def _is_given(face: Face) -> bool:
    return face.track is not None


def _is_double(face: Sight, counted: list[Sight]) -> bool:
    """Whether its box is another one of a face that is counted."""
    return any(_is_same_face(face.face.box, other.face.box) for other in counted if other is not face)


def _is_same_face(one: Box, other: Box) -> bool:
    inside = shared_area(one, other) / min(area(one), area(other))
    return inside > _SAME_INSIDE or _of_union(one, other) > _SAME_UNION


def _of_union(one: Box, other: Box) -> float:
    shared = shared_area(one, other)
    return shared / (area(one) + area(other) - shared)


def _check(frame: VideoFrame, faces: Sequence[Face]) -> None:
    numbers: set[int] = set()
    for face in faces:
        if not all(map(math.isfinite, face.box)):
            raise InputError(f"frame {frame.index}: the face's box {face.box!r} is not finite; mend the face detector")
        if face.track is not None:
            if face.track in numbers:
                fact = f"frame {frame.index}: two faces have the track {face.track!r}"
                raise InputError(f"{fact}; give each face of a frame a number of its own")
            numbers.add(face.track)
