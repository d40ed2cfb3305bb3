"""The task of `affectkit demo`: tell how generated patterns move, and how fast. A pipeline, clips, and a plain loop.

The loop is for the demo alone: training on real data needs splits by subject, which this does not do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from affectkit.configs import Windows
from affectkit.data.patterns import MOTIONS, Pattern, progress, render, speed, write_clip
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.model import Model
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FrameStream
from affectkit.temporal.gru import GRUConfig

SIZE, STEPS, DURATION = 40, 8, 0.4
_LARGEST = 0.35
# Textures by seed: training and test never share one.
TRAIN_TEXTURES, TEST_TEXTURES = range(144), range(10_000, 10_060)


class Clips(NamedTuple):
    """Rendered clips: frames `(B, T, 3, H, W)`, the motion `(B,)`, and the speed `(B, T, 1)` in [0, 1]."""

    frames: Sequence
    motion: Tensor
    speed: Tensor

    def pick(self, index: Tensor) -> Clips:
        """Some of the clips."""
        frames = Sequence(self.frames.values[index], self.frames.mask[index], self.frames.times[index])
        return Clips(frames, self.motion[index], self.speed[index])


class Report(NamedTuple):
    """Held-out figures beside what a guess reaches: accuracy of the motion, mean absolute error of the speed."""

    accuracy: float
    majority: float
    speed_error: float
    guess_error: float
    clips: int


def make_pipeline() -> PipelineConfig:
    """Optical flow, a small network, a recurrence, and two heads."""
    return PipelineConfig(
        input=FrameStream(height=SIZE, width=SIZE),
        sampling=Windows(seconds=DURATION, hop_seconds=DURATION / 2),
        branches={
            "motion": Branch(motion=(OpticalFlowConfig(window=3.0),), features=ConvStemConfig(dim=32, width=8)),
        },
        temporal=GRUConfig(dim=32),
        heads={
            "pattern": MicroExpressionConfig(targets=MOTIONS),
            "speed": ValenceArousalConfig(targets=("speed",), bounds=(0.0, 1.0)),
        },
    )


def make_clips(textures: range) -> Clips:
    """One clip per texture, its motion, size and frame times drawn with the texture's seed."""
    frames, times, motions, speeds = [], [], [], []
    for texture in textures:
        pattern, at = _draw(texture)
        frames.append(render(pattern, progress(at, DURATION)))
        times.append(at)
        motions.append(MOTIONS.index(pattern.motion))
        speeds.append(speed(at, DURATION) * pattern.amount / _LARGEST)
    values = torch.from_numpy(np.stack(frames)).permute(0, 1, 4, 2, 3).float() / 255.0
    sequence = Sequence.of(values, times=torch.from_numpy(np.stack(times)))
    return Clips(sequence, torch.tensor(motions), torch.from_numpy(np.stack(speeds)).float().unsqueeze(-1))


def fit(model: Model, clips: Clips, *, seconds: float, steps: int, report: Callable[[int, float], None]) -> int:
    """Minimize the sum of the heads' losses for `steps` steps, or until `seconds` are over; the number of steps made.

    Arguments:
        model: a built pipeline; left in evaluation mode.
        clips: what to train on.
        seconds: time limit.
        steps: optimizer steps.
        report: called with the step and its loss.
    """
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    started = time.perf_counter()
    model.train()
    step = 0
    while step < steps and time.perf_counter() - started < seconds:
        batch = clips.pick(torch.randint(len(clips.motion), (24,), generator=generator))
        targets = {"pattern": Targets.of(batch.motion), "speed": Targets.of(batch.speed)}
        _, losses = model(batch.frames, targets=targets)
        loss = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        step += 1
        report(step, float(loss.detach()))
    model.eval()
    return step


def evaluate(model: Model, train: Clips, test: Clips) -> Report:
    """Figures on clips whose textures were not trained on; the guesses come from the training clips."""
    predictions = model.predict(test.frames)
    right = predictions["pattern"].argmax(dim=-1) == test.motion
    most = train.motion.bincount().argmax()
    guess = train.speed.median()
    return Report(
        accuracy=float(right.float().mean()),
        majority=float((test.motion == most).float().mean()),
        speed_error=float((predictions["speed"] - test.speed).abs().mean()),
        guess_error=float((guess - test.speed).abs().mean()),
        clips=len(test.motion),
    )


def write_demo_clip(path: Path) -> Path:
    """The three motions one after the other, on held-out textures, at uneven times."""
    frames, times, start = [], [], 0.0
    for i, motion in enumerate(MOTIONS):
        at = _times(np.random.default_rng(20_000 + i), 3 * STEPS, 3 * DURATION)
        pattern = Pattern(motion=motion, texture=20_000 + i, amount=0.9, size=SIZE, noise=0.01)
        frames.append(render(pattern, progress(at, 3 * DURATION)))
        times.append(at + start)
        start += 3 * DURATION + DURATION / STEPS
    return write_clip(path, np.concatenate(frames), list(np.concatenate(times)))


def _draw(texture: int) -> tuple[Pattern, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    rng = np.random.default_rng([texture, 1])
    motion = MOTIONS[rng.integers(len(MOTIONS))]
    amount = float(rng.uniform(0.1, _LARGEST))
    return Pattern(motion=motion, texture=texture, amount=amount, size=SIZE, noise=0.01), _times(rng, STEPS, DURATION)


def _times(rng: np.random.Generator, steps: int, duration: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Seconds from 0 to about `duration`, with gaps that differ by a quarter, as in video of variable rate."""
    gaps = rng.uniform(0.75, 1.25, steps - 1)
    return np.concatenate([[0.0], np.cumsum(gaps)]) * (duration / (steps - 1) / 1.25)
