"""Stills of synthetic people as training examples: drawn, compressed, detected, and cut as `analyze` cuts faces.

`BENCH_V1` is a world of videos, whose units move by a fraction of a pixel to two. Stills have the same people, camera
and occluders, and expressions as far as those clips go at their apex, or of larger intensities, as `StillSettings`
says. Each person is an entry of a content-addressed cache, so that a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit import FrameStream
from affectkit.caching import cached
from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit.data.synthetic import (
    BENCH_V1,
    FULL,
    SPLITS,
    FaceIdentity,
    Pose,
    SyntheticSettings,
    split_of,
    units_of,
)
from affectkit.data.synthetic.camera import Occluder, Sensor, compose, paint_background
from affectkit.data.synthetic.face import Face
from affectkit.data.synthetic.schedule import draw_peaks
from affectkit.data.synthetic.units import MAX_INTENSITY, REFERENCE_IOD
from affectkit.errors import InputError
from affectkit.faces.yunet import YuNetConfig
from affectkit.faces.yunet_detector import YuNet
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.video.cutter import Cutter
from affectkit.video.reader import VideoFrame
from affectkit.video.tracking import TrackedFace
from affectkit.workers import Workers

# Of what is kept; another number draws anew.
VERSION = 1
INPUT = "clip"
# People to train on, to choose by, and to report on: of the latter two in the order of their numbers.
TRAIN, CHOICE, REPORT = SPLITS["train"], SPLITS["choice"], SPLITS["report"]
# Stills of a choice or report person: so many compounds, and each basic expression once.
COMPOUND_STILLS = 20


@dataclass(frozen=True, kw_only=True)
class StillSettings:
    """How a still is made. Ranges are (least, most), drawn from evenly.

    Attributes:
        intensity: of each unit of the expression, 0 to 5, drawn for every unit on its own.
        apex: how probable it is that a still takes no intensity, but goes as far as an event of a clip, by the camera's
            `peak`.
        offset: of the head from the middle, by up to so many pixels in each direction.
        turn: of the head in the image plane, by up to so many degrees.
        scale: of the head.
        quality: of the JPEG, 1 to 100; a still is compressed once, where a clip is H.264.
        camera: size, distance between the pupils, noise and occluders.
    """

    intensity: tuple[float, float] = (1.0, 5.0)
    apex: float = 0.0
    offset: float = 6.0
    turn: float = 6.0
    scale: tuple[float, float] = (0.93, 1.07)
    quality: int = 80
    camera: SyntheticSettings = BENCH_V1


# Numbers that are published were measured with these: they never change. A harder world gets a new name.
# From faint to full expressions.
STILLS_V2 = StillSettings(intensity=(1.0, 5.0))
# What clips of `BENCH_V1` show at their apex: units go 0.3 to 2 pixels.
APEX_V1 = StillSettings(apex=1.0)
# To train on: about as many of the one as of the other.
BOTH_V1 = StillSettings(apex=0.5)
# By the name that a `Plan` says.
WORLDS: Mapping[str, StillSettings] = {"APEX_V1": APEX_V1, "STILLS_V2": STILLS_V2, "BOTH_V1": BOTH_V1}


def expressions_of(seed: int, stills: int) -> tuple[str, ...]:
    """What the pictures of a person show, one expression each, so that over people all are there equally often.

    Arguments:
        seed: who; of people to train on, stills go round the 7 basic and 11 compound expressions.
        stills: of people to train on; others have `COMPOUND_STILLS`, and each basic expression once.
    """
    split = split_of(seed)
    place = seed - SPLITS[split].start
    if split == "train":
        return _round((*BASIC_7, *COMPOUND_11), place * stills, stills)
    return (*_round(COMPOUND_11, place * COMPOUND_STILLS, COMPOUND_STILLS), *BASIC_7)


def draw_stills(seed: int, expressions: tuple[str, ...], settings: StillSettings = BOTH_V1) -> list[NDArray[np.uint8]]:
    """A picture `(H, W, 3)` RGB of each expression, the same for the same arguments; compressed and read again."""
    person, camera = FaceIdentity.from_seed(seed), settings.camera
    face, sensor = Face(person, camera.size, camera.iod), Sensor(seed, camera.size, camera.noise)
    pictures = []
    for number, expression in enumerate(expressions):
        rng = np.random.default_rng([seed, 0x57111, number])
        pixels = _draw_pixels(expression, settings, rng)
        x, y = rng.uniform(-settings.offset, settings.offset, 2)
        pose = Pose(x, y, rng.uniform(-settings.turn, settings.turn), rng.uniform(*settings.scale))
        background = paint_background(person, camera.size, rng)
        occluder = None
        if rng.random() < camera.occluded_clips:
            occluder = Occluder(rng, face.box(pose), camera.size, camera.occluded_face)
        light = compose(face.draw(pixels, pose), background, occluder)
        pictures.append(_compressed(sensor.expose(light, number), settings.quality))
    return pictures


def _draw_pixels(expression: str, settings: StillSettings, rng: np.random.Generator) -> dict[str, float]:
    """How far each unit goes, in pixels of the frame for a head of scale 1."""
    # worlds without such stills draw nothing here, and stay what they were
    if settings.apex > 0.0 and rng.random() < settings.apex:
        return draw_peaks(rng, expression, settings.camera)
    return {
        unit: rng.uniform(*settings.intensity) / MAX_INTENSITY * FULL[unit] * settings.camera.iod / REFERENCE_IOD
        for unit in units_of(expression)
    }


def render_examples(
    seeds: range,
    stream: FrameStream,
    *,
    folder: Path,
    stills: int = 12,
    settings: StillSettings = BOTH_V1,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Examples:
    """The faces of these people, with labels.

    Arguments:
        seeds: of one split.
        stream: how faces are cut.
        folder: of the cache.
        stills: of each person to train on.
        settings: how they are made.
        workers: processes that draw.
        progress: called with how many people are done, and of how many.

    Returns:
        Frames `(N, 1, C, H, W)`, and targets `expression` and `compound`, `(N, 1)`, of which one is valid: a picture of
        a compound has no basic label. Pictures without a face are left out; the caller sees it by their number.

    Raises:
        InputError: no face was found at all.
    """
    work = partial(cut_person, stills=stills, stream=stream, settings=settings, folder=folder)
    found: dict[int, dict[str, Tensor]] = {}
    if workers == 1:
        for seed in seeds:
            found[seed] = work(seed)
            if progress is not None:
                progress(len(found), len(seeds))
    else:
        with Workers(workers) as pool:
            futures = {seed: pool.submit(work, seed) for seed in seeds}
            for seed, future in futures.items():
                found[seed] = pool.take(future.result())
                if progress is not None:
                    progress(len(found), len(seeds))
    return _joined(found)


def cut_person(
    seed: int,
    *,
    stills: int,
    stream: FrameStream,
    settings: StillSettings,
    folder: Path,
    progress: Callable[..., None] | None = None,
) -> dict[str, Tensor]:
    """From the cache: `cuts` `(n, C, H, W)` in 256 gray levels, `number` of the still and `label`, of all 18."""
    if progress is not None:
        progress()
    expressions = expressions_of(seed, stills)
    form = {"side": (stream.height, stream.width), "channels": stream.channels, "alignment": stream.alignment}
    parts: list[Any] = [VERSION, seed, expressions, asdict(settings), form]
    return cached(lambda: _cut_person(seed, expressions, settings, stream), parts=parts, folder=folder)


def _cut_person(
    seed: int, expressions: tuple[str, ...], settings: StillSettings, stream: FrameStream
) -> dict[str, Tensor]:
    import cv2

    # beside other workers, more threads cost more than they bring
    cv2.setNumThreads(1)
    detector, cuts, numbers = YuNet(YuNetConfig()), [], []
    for number, picture in enumerate(draw_stills(seed, expressions, settings)):
        faces = detector.detect(picture)
        if faces:
            tracked = TrackedFace(track=0, face=max(faces, key=lambda one: one.score))
            frame = VideoFrame(index=0, pts=0.0, image=picture)
            cuts.append(Cutter({INPUT: stream}).cut(frame, tracked).inputs[INPUT])
            numbers.append(number)
    shape = (0, len(stream.channels), stream.height, stream.width)
    values = np.stack(cuts) if cuts else np.zeros(shape, np.float32)
    names = (*BASIC_7, *COMPOUND_11)
    return {
        "cuts": torch.from_numpy(np.rint(values * 255).astype(np.uint8)),
        "number": torch.tensor(numbers, dtype=torch.int64),
        "label": torch.tensor([names.index(expressions[number]) for number in numbers], dtype=torch.int64),
    }


def _joined(people: Mapping[int, Mapping[str, Tensor]]) -> Examples:
    named = [(seed, int(number)) for seed, one in people.items() for number in one["number"]]
    if not named:
        raise InputError(f"synthetic faces: none was found in the pictures of {len(people)} people; check the detector")
    cuts = torch.cat([one["cuts"] for one in people.values()]).unsqueeze(1).float().div_(255)
    label = torch.cat([one["label"] for one in people.values()]).unsqueeze(1)
    is_basic = label < len(BASIC_7)
    return Examples(
        inputs={INPUT: Sequence.of(cuts)},
        targets={
            "expression": Targets(torch.where(is_basic, label, 0), is_basic),
            "compound": Targets(torch.where(is_basic, 0, label - len(BASIC_7)), ~is_basic),
        },
        subjects=tuple(f"synthetic/{seed:05}" for seed, _ in named),
        keys=tuple(f"{seed:05}-{number:02}" for seed, number in named),
    )


def _round(names: tuple[str, ...], start: int, count: int) -> tuple[str, ...]:
    return tuple(names[(start + step) % len(names)] for step in range(count))


def _compressed(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    import cv2

    _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    read: NDArray[np.uint8] = cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return np.ascontiguousarray(read[..., ::-1])
