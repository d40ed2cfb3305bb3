"""Checks of the components that are no modules: face detectors, spotters and datasets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.records import Event, Face, Index
from affectkit.sequences import Sequence
from affectkit.testing.checks import Check, check
from affectkit.testing.examples import FPS, copied, face_picture, moving_clip, span, tensors
from affectkit.testing.results import CheckFailed
from affectkit.testing.subjects import PLAIN, Subject

FRAMES = 60
LONG = 150
# Rounding of times and confidences between one large and many small tensors.
TOLERANCE = 1e-4


@check(*PLAIN, cause="a wrong base class, or super().__init__(config) left out")
def component_builds(subject: Subject) -> None:
    assert subject.module is not None


@check("faces", cause="boxes that are not clipped to the picture, or are still in the pixels of a resized copy")
def faces_are_in_the_picture(subject: Subject) -> None:
    picture = face_picture()
    height, width = picture.shape[:2]
    for name, image in (("a face", picture), ("a gray wall", 0 * picture + 110)):
        faces = subject.module.detect(image)
        if not isinstance(faces, list) or not all(isinstance(face, Face) for face in faces):
            raise CheckFailed(f"detect() returned {type(faces).__name__} for {name}, no list of Face")
        for face in faces:
            left, top, wide, high = face.box
            if left < 0 or top < 0 or left + wide > width or top + high > height or wide <= 0 or high <= 0:
                raise CheckFailed(f"box {face.box} is not inside a picture of {width}x{height}")
            if not 0 <= face.score <= 1:
                raise CheckFailed(f"score {face.score!r} is not in [0, 1]", "a logit; decode it by a sigmoid")
        areas = [face.box[2] * face.box[3] for face in faces]
        if areas != sorted(areas, reverse=True):
            raise CheckFailed(f"areas {areas} are not in falling order", "detections sorted by score, or not at all")


@check("faces", cause="drawing, normalizing or converting in place; work on a copy")
def picture_is_unmodified(subject: Subject) -> None:
    picture = face_picture()
    subject.module.detect(picture)
    if changed := int((picture != face_picture()).sum()):
        raise CheckFailed(f"detect() changed {changed} numbers of its picture")


@check("faces", cause="something that is kept from picture to picture; a detector has no memory, tracking has")
def pictures_do_not_mix(subject: Subject) -> None:
    first = subject.module.detect(face_picture())
    subject.module.detect(face_picture(240, 240))
    again = subject.module.detect(face_picture())
    if first != again:
        raise CheckFailed(f"the same picture gives {len(first)} faces, and later {len(again)} faces that differ")


@check("spotter", cause="an operation in place on the frames that were pushed")
def frames_are_unmodified(subject: Subject) -> None:
    frames = moving_clip(subject.stream, FRAMES)
    before = copied(frames)
    spot(subject.module, frames, FRAMES)
    for now, then in zip(tensors(frames), tensors(before), strict=True):
        if not torch.equal(now, then):
            raise CheckFailed(f"push() changed {int((now != then).sum())} numbers of its frames")


@check("spotter", cause="an event that is emitted before it has ended, or a list that is not sorted")
def events_are_final_and_in_order(subject: Subject) -> None:
    frames = moving_clip(subject.stream, FRAMES)
    spotter, events = subject.module, []
    state = spotter.start(FPS)
    for t in range(FRAMES):
        now = frames.times[0, t].item()
        for event in _events(spotter.push(state, frames.step(t)), "push"):
            if event.offset > now + TOLERANCE:
                raise CheckFailed(f"an event that ends at {event.offset:.3f} s was emitted at {now:.3f} s")
            events.append(event)
    events += _events(spotter.finish(state), "finish")
    for moment in ("onset", "offset"):
        times = [getattr(event, moment) for event in events]
        if times == sorted(times):
            break
    else:
        listing = ", ".join(f"{event.onset:.3f} to {event.offset:.3f}" for event in events)
        raise CheckFailed(f"events are in order of neither onset nor offset: {listing} s")
    for event in events:
        if event.onset < frames.times.min() - TOLERANCE or event.offset > frames.times.max() + TOLERANCE:
            raise CheckFailed(f"event {event.onset:.3f} to {event.offset:.3f} s is outside the clip")


@check("spotter", cause="a decision per call of push(); decide per frame, and keep what is open in the state")
def chunks_do_not_matter(subject: Subject) -> None:
    frames = moving_clip(subject.stream, FRAMES)
    whole = spot(subject.module, frames, FRAMES)
    for size in (1, 7):
        parts = spot(subject.module, frames, size)
        if not _same(whole, parts):
            raise CheckFailed(f"{len(whole)} events at once, {len(parts)} that differ by chunks of {size} frames")


@check("spotter", cause="state kept on self; everything that push() remembers lives in what start() returned")
def clips_do_not_mix(subject: Subject) -> None:
    spotter, frames = subject.module, moving_clip(subject.stream, FRAMES)
    alone = spot(spotter, frames, 10)
    mirrored = frames.with_values(frames.values.flip(-1))
    state, other = spotter.start(FPS), spotter.start(FPS)
    events: list[Event] = []
    for t in range(0, FRAMES, 10):
        events += spotter.push(state, span(frames, t, t + 10))
        spotter.push(other, span(mirrored, t, t + 10))
    spotter.finish(other)
    events += spotter.finish(state)
    if not _same(alone, events):
        raise CheckFailed(f"{len(alone)} events of a clip alone, {len(events)} that differ beside another clip")


@check("spotter", cause="a list of all frames or scores in the state; keep a window, or running sums")
def memory_is_constant(subject: Subject) -> None:
    spotter, frames = subject.module, moving_clip(subject.stream, LONG)
    state = spotter.start(FPS)
    sizes = []
    for i in range(3):
        later = Sequence(frames.values, frames.mask, frames.times + i * LONG / FPS)
        for t in range(0, LONG, 25):
            spotter.push(state, span(later, t, t + 25))
        sizes.append(size((state, vars(spotter))))
    # a window that fills for some seconds grows once, a list of frames or scores at every turn
    if min(sizes[1] - sizes[0], sizes[2] - sizes[1]) > LONG / 2:
        raise CheckFailed(f"after {LONG}, {2 * LONG} and {3 * LONG} frames, the state holds {sizes} values")


@check("dataset", cause="a folder or file that is taken for granted; raise InputError and say what should be there")
def empty_folder_is_explained(subject: Subject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            index = subject.module.scan(Path(folder))
        except InputError as error:
            if not str(error):
                raise CheckFailed("scan() of an empty folder raised InputError without a message") from error
        else:
            if not isinstance(index, Index):
                raise CheckFailed(f"scan() returned {type(index).__name__}, no Index")
            if len(index):
                raise CheckFailed(f"scan() of an empty folder gives {len(index)} samples")
        if left := sorted(path.name for path in Path(folder).iterdir()):
            raise CheckFailed(f"scan() wrote {left[0]!r} into the dataset's folder", "a cache; keep it elsewhere")


def spot(spotter: Any, frames: Sequence, chunk: int) -> list[Event]:
    """Every event of a clip that is pushed by `chunk` frames at a time."""
    state = spotter.start(FPS)
    events: list[Event] = []
    for t in range(0, frames.mask.shape[1], chunk):
        events += spotter.push(state, span(frames, t, t + chunk))
    return events + list(spotter.finish(state))


def size(value: Any, seen: set[int] | None = None) -> int:
    """How many numbers, texts and other leaves a nest of containers, tensors, arrays and objects holds."""
    seen = set() if seen is None else seen
    if isinstance(value, str | bytes | int | float | complex | bool | None):
        return 1
    if id(value) in seen or isinstance(value, type):
        return 0
    seen.add(id(value))
    if isinstance(value, Tensor):
        return value.numel()
    if hasattr(value, "__array__") and hasattr(value, "size"):
        return int(value.size)
    if isinstance(value, Mapping):
        return sum(size(item, seen) for item in value.values())
    if hasattr(value, "__iter__") and hasattr(value, "__len__"):
        return sum(size(item, seen) for item in value)
    return 1 + sum(size(item, seen) for item in getattr(value, "__dict__", {}).values())


def _events(events: Any, what: str) -> list[Event]:
    if not isinstance(events, list) or not all(isinstance(event, Event) for event in events):
        raise CheckFailed(f"{what}() returned {type(events).__name__}, no list of Event", "None; return []")
    return events


def _same(one: list[Event], two: list[Event]) -> bool:
    def near(a: float | None, b: float | None) -> bool:
        return a is b or (a is not None and b is not None and abs(a - b) <= TOLERANCE)

    return len(one) == len(two) and all(
        a.kind == b.kind
        and all(near(getattr(a, name), getattr(b, name)) for name in ("onset", "apex", "offset", "confidence"))
        for a, b in zip(one, two, strict=True)
    )


CHECKS: tuple[Check, ...] = (
    component_builds,
    faces_are_in_the_picture,
    picture_is_unmodified,
    pictures_do_not_mix,
    frames_are_unmodified,
    events_are_final_and_in_order,
    chunks_do_not_matter,
    clips_do_not_mix,
    memory_is_constant,
    empty_folder_is_explained,
)
