"""Keyframes of synthetic micro-expressions, cut as `analyze` cuts them, for `train_micro.py`.

A clip of a second shows one micro-expression, and is encoded and read again, since compression changes faint motion.
Its frame rate is one of four. Onset, apex and offset are off by as much as a spotter's, three times for each clip.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.data.labels import MICRO_3
from affectkit.data.synthetic import BENCH_V1, Movement, micro_class_of, render_clip
from affectkit.data.synthetic.schedule import make_schedule
from affectkit.faces.yunet import YuNetConfig
from affectkit.faces.yunet_detector import YuNet
from affectkit.presets import recognize_micro
from affectkit.sequences import Sequence, Targets
from affectkit.training.examples import Examples
from affectkit.video.clips import video_streams
from affectkit.video.cutter import Cutter
from affectkit.video.reader import VideoFrame, read_frames
from affectkit.video.tracking import TrackedFace

SETTINGS = replace(BENCH_V1, seconds=0.95, events=(1, 1), without_event=0.0, micro=1.0, blink_every=None)
# Three classes and four rates: each class has each.
RATES = (200.0, 60.0, 30.0, 30.0)
DRAWS = 3
# Seconds, standard deviations: of micro-expressions that `motion-events` finds in clips of choice seeds.
ERRORS = (0.03, 0.015, 0.03)
# Clips of one class that a process is given at once.
_AT_ONCE = 8


class Keyframes(NamedTuple):
    """Of one clip: class, and by draw seconds `(3,)` and cuts `(3, 1, H, W)`."""

    seed: int
    label: str
    times: NDArray[np.float64]
    cuts: NDArray[np.float32]


def render_examples(seeds: range, *, is_balanced: bool, rates: tuple[float, ...] = RATES) -> Examples:
    """Examples of one clip for each of these people, drawn thrice; a face that is not found gives none.

    Arguments:
        seeds: of one split.
        is_balanced: each class in turn, instead of as often as it comes.
        rates: frames per second, a clip in turn.
    """
    wanted = [MICRO_3[seed % len(MICRO_3)] if is_balanced else None for seed in seeds]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        each = [rates[seed % len(rates)] for seed in seeds]
        found = [one for one in pool.map(cut_keyframes, seeds, wanted, each, chunksize=_AT_ONCE) if one is not None]
    times = torch.from_numpy(np.concatenate([one.times for one in found]))
    values = torch.from_numpy(np.concatenate([one.cuts for one in found]))
    labels = torch.tensor([MICRO_3.index(one.label) for one in found]).repeat_interleave(DRAWS)
    name = next(iter(recognize_micro().inputs))
    return Examples(
        inputs={name: Sequence.of(values, times=times)},
        targets={"micro": Targets.of(labels)},
        subjects=tuple(f"synthetic/{one.seed:05}" for one in found for _ in range(DRAWS)),
        keys=tuple(f"{one.seed:05}-{draw}" for one in found for draw in range(DRAWS)),
    )


def cut_keyframes(seed: int, wanted: str | None, fps: float) -> Keyframes | None:
    """Render, encode, read and cut one clip; None where no face is found in its first frame."""
    movement, label = _movement(seed, wanted)
    clip = render_clip(seed, SETTINGS, fps=fps, movements=(movement,))
    with tempfile.TemporaryDirectory() as name:
        path = clip.write(Path(name) / "clip.mp4")
        frames = [frame for frame in read_frames(path) if isinstance(frame, VideoFrame)]
    faces = YuNet(YuNetConfig()).detect(frames[0].image)
    if not faces:
        return None
    face = TrackedFace(track=0, face=max(faces, key=lambda one: one.score))
    moments = np.array([movement.onset, movement.apex, movement.offset], np.float64)
    errors = np.random.default_rng([seed, 4]).normal(size=(DRAWS, 3)) * ERRORS
    pts = np.array([frame.pts for frame in frames])
    nearest = np.abs(pts - (moments + errors)[..., None]).argmin(axis=-1)
    cutter = Cutter(video_streams(recognize_micro().inputs, events=True))
    name = next(iter(recognize_micro().inputs))
    cuts = {at: cutter.cut(frames[at], face).inputs[name] for at in sorted(set(nearest.flat))}
    return Keyframes(seed, label, pts[nearest], np.stack([[cuts[at] for at in draw] for draw in nearest]))


def _movement(seed: int, wanted: str | None) -> tuple[Movement, str]:
    """The first one that is of the wanted class, or of any; and its class."""
    generator = np.random.default_rng([seed, 5])
    while True:
        (movement,) = make_schedule(generator, SETTINGS)
        label = micro_class_of(str(movement.label))
        if label == wanted or (wanted is None and label in MICRO_3):
            return movement, label
