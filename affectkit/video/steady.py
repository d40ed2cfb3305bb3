"""Steady crops: one similarity for many frames of a track, so that what moves in the crop has moved in the picture.

Aligned anew in every frame, a crop trembles with the landmarks, by more than a faint expression moves the skin. A
track's first frame is the anchor; later ones are cut the same way. A head that drifts off is followed in whole pixels
of the crop, which changes no value that is interpolated; a head that turns or comes nearer gets a new anchor.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from affectkit.records import Face
from affectkit.video.alignment import TEMPLATES, Similarity, has_landmarks, template_points

# Inter-ocular distances that a head may drift before the crop follows.
_DRIFT = 0.25
# Roll in radians and ratio of sizes, from the anchor, at which a new one is made.
_ROLL = math.radians(15)
_ZOOM = math.log(1.2)
# Seconds over which the place of the head is averaged, since landmarks tremble.
_SMOOTHING = 0.25
# Seconds after which a track that is not seen is forgotten.
_MEMORY = 60.0
_TEMPLATE = TEMPLATES["steady"]


@dataclass(frozen=True)
class Anchor:
    """How a track's frames are cut.

    Attributes:
        similarity: of the anchor's frame, from its pixels to the template's square.
        segment: how many anchors the track had before.
        shift: whole pixels by which the crop has moved since, to the right and down.
        place: where the middle of the head is, smoothed, in the square of the anchor, without shifts.
        start: where it was in the anchor's frame.
        turn: how much the head has turned and grown since, smoothed: logarithm of the ratio of two similarities.
        by_landmarks: whether the face had five landmarks, and not only a box.
        pts: seconds of the last frame.
    """

    similarity: Similarity
    segment: int
    shift: tuple[int, int]
    place: complex
    start: complex
    turn: complex
    by_landmarks: bool
    pts: float

    @classmethod
    def of(cls, face: Face, pts: float, segment: int) -> Anchor:
        """A new anchor."""
        similarity = _TEMPLATE.similarity(face)
        start = similarity(_middle(face))
        return cls(similarity, segment, (0, 0), start, start, 0j, has_landmarks(face), pts)

    def followed(self, face: Face, pts: float, side: int) -> Anchor:
        """The anchor for the next frame: this one, shifted where the head has drifted, or a new one."""
        share = 1 - math.exp(-max(pts - self.pts, 0.0) / _SMOOTHING)
        # How the head is turned and sized, compared to the anchor's frame.
        ratio = self.similarity.a / _TEMPLATE.similarity(face).a
        turn = self.turn + share * (cmath.log(ratio) - self.turn)
        if has_landmarks(face) != self.by_landmarks or abs(turn.imag) > _ROLL or abs(turn.real) > _ZOOM:
            return Anchor.of(face, pts, self.segment + 1)
        place = self.place + share * (self.similarity(_middle(face)) - self.place)
        drift = side * (place - self.start) - complex(*self.shift)
        room = _DRIFT * _TEMPLATE.iod * side
        shift = self.shift[0] + _steps(drift.real, room), self.shift[1] + _steps(drift.imag, room)
        return Anchor(self.similarity, self.segment, shift, place, self.start, turn, self.by_landmarks, pts)

    def snapshot(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "similarity": [*_parts(self.similarity.a), *_parts(self.similarity.b)],
            "segment": self.segment,
            "shift": list(self.shift),
            "place": _parts(self.place),
            "start": _parts(self.start),
            "turn": _parts(self.turn),
            "by_landmarks": self.by_landmarks,
            "pts": self.pts,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> Anchor:
        """The anchor of a snapshot."""
        a, b = complex(*state["similarity"][:2]), complex(*state["similarity"][2:])
        return cls(
            similarity=Similarity(a, b),
            segment=state["segment"],
            shift=(state["shift"][0], state["shift"][1]),
            place=complex(*state["place"]),
            start=complex(*state["start"]),
            turn=complex(*state["turn"]),
            by_landmarks=state["by_landmarks"],
            pts=state["pts"],
        )


class Anchors:
    """The anchors of a video's tracks.

    Arguments:
        side: of the crops' square, pixels.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._of_track: dict[int, Anchor] = {}

    def follow(self, track: int, face: Face, pts: float) -> Anchor:
        """The anchor that holds for this frame."""
        for other, anchor in list(self._of_track.items()):
            if pts - anchor.pts > _MEMORY:
                del self._of_track[other]
        known = self._of_track.get(track)
        anchor = Anchor.of(face, pts, 0) if known is None else known.followed(face, pts, self._side)
        self._of_track[track] = anchor
        return anchor

    def forget(self, track: int) -> None:
        """The track will not come again."""
        self._of_track.pop(track, None)

    def snapshot(self) -> dict[str, Any]:
        """Plain data, by track."""
        return {str(track): anchor.snapshot() for track, anchor in self._of_track.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self._of_track = {int(track): Anchor.restored(anchor) for track, anchor in state.items()}


def _steps(drift: float, room: float) -> int:
    """Pixels towards a head that has left its room: one per frame, which hardly disturbs, unless it leaps."""
    beyond = abs(drift) - room
    return 0 if beyond <= 0 else int(math.copysign(max(1, int(beyond)), drift))


def _middle(face: Face) -> complex:
    """Centroid of the five points, or the middle of the box."""
    if points := template_points(face):
        return sum(points) / len(points)
    left, top, width, height = face.box
    return complex(left + width / 2, top + height / 2)


def _parts(z: complex) -> list[float]:
    return [float(z.real), float(z.imag)]
