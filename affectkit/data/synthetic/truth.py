"""Everything that is known about a synthetic clip, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affectkit.data.labels import COMPOUND_BASICS
from affectkit.data.synthetic.expressions import place_of, units_of
from affectkit.data.synthetic.face import Face
from affectkit.data.synthetic.poses import Pose
from affectkit.data.synthetic.schedule import Movement
from affectkit.data.synthetic.units import AUS, FULL, MAX_INTENSITY, REFERENCE_IOD
from affectkit.records import Event


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The truth of a clip of T frames.

    Attributes:
        events: expressions and blinks in order of time, in seconds and frames.
        movements: the same with the peak of every AU in pixels, one for each event.
        aus: names of the action units, K of them.
        au: intensity of each, `(T, K)` float64 in [0, 5].
        expression: basic expression in each frame, `neutral` at rest and `other` during a compound, T names.
        compound: compound expression in each frame, empty where there is none, T names.
        valence: `(T,)` in [-1, 1], by the convention of affectkit.data.synthetic.expressions.
        arousal: `(T,)` in [-1, 1], by the same.
        poses: of the head in each frame.
        boxes: left, top, width, height of the face, `(T, 4)` pixels.
        landmarks: pupils, tip of the nose, corners of the mouth as (x, y), `(T, 5, 2)` pixels; the left one in the
            image first.
    """

    events: tuple[Event, ...]
    movements: tuple[Movement, ...]
    aus: tuple[str, ...]
    au: NDArray[np.float64]
    expression: tuple[str, ...]
    compound: tuple[str, ...]
    valence: NDArray[np.float64]
    arousal: NDArray[np.float64]
    poses: tuple[Pose, ...]
    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]


def displacements(movements: tuple[Movement, ...], time: float) -> dict[str, float]:
    """How far each AU has gone at a time, pixels of its peak; only those that have."""
    total: dict[str, float] = {}
    for movement in movements:
        level = movement.level(time)
        if level > 0.0:
            for au, pixels in movement.pixels.items():
                total[au] = total.get(au, 0.0) + pixels * level
    return total


def intensities(pixels: dict[str, float], iod: float) -> dict[str, float]:
    """Intensities 0 to 5 of AUs that have gone this far."""
    return {au: MAX_INTENSITY * size / (FULL[au] * iod / REFERENCE_IOD) for au, size in pixels.items()}


def make_truth(
    face: Face, movements: tuple[Movement, ...], times: NDArray[np.float64], poses: tuple[Pose, ...], fps: float
) -> Truth:
    """Put together what the parts of a clip know."""
    au = np.zeros((len(times), len(AUS)))
    affect = np.zeros((len(times), 2))
    expression, compound = ["neutral"] * len(times), [""] * len(times)
    boxes, landmarks = np.empty((len(times), 4)), np.empty((len(times), 5, 2))
    for t, (time, pose) in enumerate(zip(times, poses, strict=True)):
        pixels = displacements(movements, float(time))
        sizes = intensities(pixels, face.iod)
        au[t] = [sizes.get(name, 0.0) for name in AUS]
        boxes[t], landmarks[t] = face.box(pose), face.landmarks(pixels, pose)
        label = next((m.label for m in movements if m.label is not None and m.level(float(time)) > 0.0), None)
        if label is not None:
            is_compound = label in COMPOUND_BASICS
            expression[t], compound[t] = ("other", label) if is_compound else (label, "")
            units = units_of(label)
            share = sum(sizes[unit] for unit in units) / len(units) / MAX_INTENSITY
            affect[t] = share * np.array(place_of(label))
    return Truth(
        events=tuple(_event(movement, len(times), fps) for movement in movements),
        movements=movements,
        aus=AUS,
        au=au,
        expression=tuple(expression),
        compound=tuple(compound),
        valence=affect[:, 0],
        arousal=affect[:, 1],
        poses=poses,
        boxes=boxes,
        landmarks=landmarks,
    )


def _event(movement: Movement, frames: int, fps: float) -> Event:
    onset, apex, offset = (min(round(x * fps), frames - 1) for x in (movement.onset, movement.apex, movement.offset))
    return Event(
        kind=movement.kind,
        onset=movement.onset,
        apex=movement.apex,
        offset=movement.offset,
        onset_frame=onset,
        apex_frame=apex,
        offset_frame=offset,
        label=movement.label,
        apex_source="annotated",
    )
