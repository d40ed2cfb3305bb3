"""A spotter whose events are known beforehand, bright stretches, and a head that tells bright from dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affectkit.configs import Events, HeadConfig, SpotterConfig
from affectkit.interfaces import Spotter, TaskHead
from affectkit.pipeline import PipelineConfig
from affectkit.records import Event
from affectkit.registry import Registry
from affectkit.sequences import Sequence, Targets
from affectkit.specs import HeadSpec, SpotterSpec
from affectkit.streams import FeatureStream, FrameStream, PredictionStream
from tests import brightness


@dataclass(frozen=True, kw_only=True)
class BrightEventsConfig(SpotterConfig):
    """Stretches in which the picture is bright.

    Attributes:
        threshold: mean intensity from which a frame counts as bright.
        memory: seconds.
        finds_apex: whether the brightest frame is given as the apex.
        label: of every event.
        early: seconds by which onsets are given too early, as a spotter may that looks between frames.
    """

    threshold: float = 0.5
    memory: float = 1.0
    finds_apex: bool = True
    label: str | None = None
    early: float = 0.0

    @property
    def memory_seconds(self) -> float:
        return self.memory

    def check_input(self, stream: FrameStream) -> None:
        assert stream.steps == ()


@dataclass
class Stretch:
    """Times and levels of the bright frames at hand, and of all frames how many there were."""

    bright: list[tuple[float, float]] = field(default_factory=list)
    frames: int = 0


class BrightEvents(Spotter[BrightEventsConfig]):
    """Counts how often it is started and at which rate."""

    def __init__(self, config: BrightEventsConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.started: list[float | None] = []
        self.pieces: list[int] = []

    def start(self, fps: float | None) -> Stretch:
        self.started.append(fps)
        return Stretch()

    def push(self, state: Stretch, frames: Sequence) -> list[Event]:
        found = []
        self.pieces.append(frames.mask.shape[1])
        levels = frames.values[0].flatten(start_dim=1).mean(dim=1)
        for level, time in zip(levels.tolist(), frames.times[0].tolist(), strict=True):
            state.frames += 1
            if level < self.config.threshold:
                found += self.finish(state)
            else:
                state.bright.append((time, level))
        return found

    def finish(self, state: Stretch) -> list[Event]:
        if not state.bright:
            return []
        bright, state.bright = state.bright, []
        apex = max(bright, key=lambda item: item[1])[0] if self.config.finds_apex else None
        return [
            Event(
                kind="other",
                onset=bright[0][0] - self.config.early,
                apex=apex,
                offset=bright[-1][0],
                label=self.config.label,
                confidence=0.5,
                apex_source="missing" if apex is None else "estimated",
            )
        ]


@dataclass(frozen=True, kw_only=True)
class DayConfig(HeadConfig):
    """Probabilities of bright and dark: the brightness itself, and what is left of 1."""

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem="multiclass", resolution="clip", targets=("bright", "dark"))


class Day(TaskHead[DayConfig]):
    def __init__(self, config: DayConfig, stream: FeatureStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Tensor:
        mean = (inputs.values * inputs.mask.unsqueeze(-1)).sum(dim=1) / inputs.mask.sum(dim=1, keepdim=True)
        return torch.cat([mean, 1 - mean], dim=-1)

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        return scores.sum() * 0

    def predict(self, scores: Tensor) -> Tensor:
        return scores


def registry() -> Registry:
    """With the toys of `brightness` too."""
    return brightness.registry(
        SpotterSpec(name="bright-events", config=BrightEventsConfig, factory=BrightEvents, summary="Bright."),
        HeadSpec(name="day", config=DayConfig, factory=Day, summary="Day."),
    )


def spot_bright(*, heads: bool = False, spotter: BrightEventsConfig | None = None, **changes: Any) -> PipelineConfig:
    """Events of the brightness; with heads, of each event whether it is bright."""
    sampling = Events(spotter=spotter or BrightEventsConfig(), **changes)
    if heads:
        return brightness.pipeline(sampling, heads={"day": DayConfig()})
    return PipelineConfig(input=FrameStream(height=8, width=8), sampling=sampling)


def flat(level: float, size: tuple[int, int] = (8, 8)) -> Any:
    """A picture of one level in [0, 1] as an input takes it, `(3, H, W)` float32."""
    return np.full((3, *size), level, np.float32)
