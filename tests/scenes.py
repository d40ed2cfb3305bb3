"""Cheap scenes with several people for tests of tracking: a sprite per face, moved over a background.

What a detector would say of them comes with noise, misses and faces that are hidden behind others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affectkit.configs import Tracking
from affectkit.records import Face
from affectkit.video.reader import VideoFrame
from affectkit.video.tracking import TrackedFace, Tracker
from affectkit.video.tracks import shared_area

WIDTH, HEIGHT = 640, 360
# Center x, y and width of a person's face at a time; None where the person is not there.
Path = Callable[[float], tuple[float, float, float] | None]


@dataclass(frozen=True)
class Person:
    """A face: `seed` says how it looks, `path` where it is. Later people of a list stand in front."""

    seed: int
    path: Path


@dataclass(frozen=True)
class Seen:
    """A frame with what was detected in it; `people` says, box by box, whose face it is."""

    frame: VideoFrame
    faces: tuple[Face, ...]
    people: tuple[int, ...]


def sprite(seed: int) -> NDArray[np.uint8]:
    """A face-like patch: hair, skin, eyes and mouth in colors of its own, `(120, 90, 3)`."""
    draw = np.random.default_rng(seed)
    skin = np.array([205, 160, 130]) * draw.uniform(0.45, 1.1)
    picture = np.empty((120, 90, 3))
    picture[:] = skin + draw.normal(0, 8, 3)
    picture[: int(draw.integers(10, 35))] = draw.uniform(10, 180) * np.array([1.0, 0.85, 0.7])
    for x in (25, 65):
        cv2.ellipse(picture, (x, 50), (9, 4), 0, 0, 360, (30, 30, 30), -1)
    cv2.ellipse(picture, (45, 92), (16, 5), 0, 0, 360, (150, 60, 60), -1)
    if draw.random() < 0.4:
        picture[80:] *= 0.5
    face: NDArray[np.uint8] = cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 2).astype(np.uint8)
    return face


def line(start: tuple[float, float], stop: tuple[float, float], seconds: float, width: float = 70) -> Path:
    """From one point to another within `seconds`."""

    def path(t: float) -> tuple[float, float, float]:
        share = t / seconds
        return start[0] + share * (stop[0] - start[0]), start[1] + share * (stop[1] - start[1]), width

    return path


def times(seconds: float, fps: float, *, jitter: float = 0.0, seed: int = 0) -> list[float]:
    """Times of frames; `jitter` is the share of a frame's length by which it varies."""
    draw = np.random.default_rng(seed)
    count = int(seconds * fps)
    return sorted(((np.arange(count) + jitter * draw.uniform(-0.5, 0.5, count)) / fps).tolist())


def scene(
    people: Sequence[Person],
    moments: Sequence[float],
    *,
    noise: float = 0.02,
    missed: float = 0.0,
    hidden: float = 0.4,
    seed: int = 0,
    textured: bool = True,
) -> Iterator[Seen]:
    """Frames and detections.

    Arguments:
        people: who is in the scene; later ones stand in front.
        moments: times of the frames, seconds.
        noise: 1 sigma of every side of a box, as a share of its width.
        missed: share of the faces that are not detected.
        hidden: share of a face that may be covered before it is not detected.
        seed: of noise and misses.
        textured: whether the pictures show anything.
    """
    draw = np.random.default_rng(seed)
    sprites = [sprite(person.seed) for person in people]
    background = cv2.resize(np.random.default_rng(99).integers(40, 200, (9, 16, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    for index, t in enumerate(moments):
        image = background.copy() if textured else np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        boxes = [_box(person.path(t)) for person in people]
        found: list[tuple[Face, int]] = []
        for number, box in enumerate(boxes):
            if box is None or shared_area(box, (0.0, 0.0, WIDTH, HEIGHT)) < 0.5 * box[2] * box[3]:
                continue
            if textured:
                _paste(image, sprites[number], box)
            covered = max((shared_area(box, other) for other in boxes[number + 1 :] if other), default=0.0)
            if covered > hidden * box[2] * box[3] or draw.random() < missed:
                continue
            left, top, width, height = (np.array(box) + noise * box[2] * draw.normal(size=4)).tolist()
            face = Face(box=(left, top, width, height), score=float(draw.uniform(0.6, 0.95)))
            found.append((face, number))
        found = [found[k] for k in draw.permutation(len(found))]
        frame = VideoFrame(index=index, pts=t, image=image)
        yield Seen(frame, tuple(face for face, _ in found), tuple(number for _, number in found))


def follow(seen: Sequence[Seen], config: Tracking | None = None) -> list[tuple[TrackedFace, ...]]:
    """What a new tracker says."""
    tracker = Tracker(config or Tracking())
    return [tracker.update(item.frame, list(item.faces)) for item in seen]


def switches(seen: Sequence[Seen], found: Sequence[tuple[TrackedFace, ...]], max_gap: float = 1.0) -> list[str]:
    """Where a person who was gone for no more than `max_gap` seconds has another number, or one that was another's."""
    own: dict[int, tuple[int, float]] = {}
    owner: dict[int, int] = {}
    wrong = []
    for item, faces in zip(seen, found, strict=True):
        by_box = {face.face.box: face.track for face in faces}
        for face, person in zip(item.faces, item.people, strict=True):
            number, pts = by_box[face.box], item.frame.pts
            if person in own and own[person][0] != number and pts - own[person][1] <= max_gap:
                wrong.append(f"{pts:.2f} s: person {person} had {own[person][0]} and has {number}")
            if owner.get(number, person) != person:
                wrong.append(f"{pts:.2f} s: {number} was person {owner[number]} and is person {person}")
            own[person], owner[number] = (number, pts), person
    return wrong


def _box(place: tuple[float, float, float] | None) -> tuple[float, float, float, float] | None:
    if place is None:
        return None
    x, y, width = place
    return x - width / 2, y - width * 2 / 3, width, width * 4 / 3


def _paste(image: NDArray[np.uint8], face: NDArray[np.uint8], box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = round(box[0]), round(box[1]), round(box[0] + box[2]), round(box[1] + box[3])
    moved = cv2.resize(face, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, WIDTH), min(bottom, HEIGHT)
    image[y0:y1, x0:x1] = moved[y0 - top : y1 - top, x0 - left : x1 - left]
