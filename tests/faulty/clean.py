"""One correct component of every kind, small enough to break in one place. Faults derive from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affectkit import (
    DatasetConfig,
    DatasetSpec,
    Event,
    Face,
    FaceDetectorConfig,
    FaceDetectorSpec,
    FeaturesConfig,
    FeaturesSpec,
    FeatureStream,
    FrameStream,
    FusionConfig,
    FusionSpec,
    HeadConfig,
    HeadSpec,
    Index,
    InputError,
    LateFusionConfig,
    LateFusionSpec,
    MotionConfig,
    MotionSpec,
    PredictionStream,
    ScoreMapConfig,
    ScoreMapSpec,
    Sequence,
    SpotterConfig,
    SpotterSpec,
    StreamError,
    Targets,
    TemporalConfig,
    TemporalSpec,
    dial,
)
from affectkit.interfaces import (
    Dataset,
    FaceDetector,
    FeatureExtractor,
    Fusion,
    LateFusion,
    MotionFrontEnd,
    ScoreMap,
    Spotter,
    TaskHead,
    TemporalEncoder,
)
from affectkit.sequences import masked_mean
from affectkit.specs import ComponentSpec

CLASSES = ("calm", "tense", "other")


def real(sequence: Sequence) -> Tensor:
    """Values with zeros for padding."""
    mask = sequence.mask.reshape(*sequence.mask.shape, *[1] * (sequence.values.ndim - 2))
    return torch.where(mask, sequence.values, torch.zeros_like(sequence.values))


@dataclass(frozen=True, kw_only=True)
class PlainTemporalConfig(TemporalConfig):
    """Attributes:
    dim: width.
    gain: factor of the output.
    aux_weight: factor of the auxiliary loss.
    frozen: whether the parameters stay as they are.
    """

    dim: int = 8
    gain: float = dial(1.0, choices=(1.0, 2.0))
    aux_weight: float = 0.1
    frozen: bool = False

    @property
    def is_causal(self) -> bool:
        return True

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    def output(self, stream: FeatureStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, fps=stream.fps, stride=stream.stride, steps=stream.steps)


class PlainTemporal(TemporalEncoder[PlainTemporalConfig]):
    """A running sum of mapped steps; weights that do not depend on chance, so that messages are the same everywhere."""

    def __init__(self, config: PlainTemporalConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(stream.dim, config.dim)
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.requires_grad_(not config.frozen)

    @property
    def can_stream(self) -> bool:
        return True

    def initial_state(self, batch: int) -> Tensor:
        return self.linear.weight.new_zeros(batch, 1, self.config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        mapped = torch.where(inputs.mask.unsqueeze(-1), self.linear(real(inputs)), 0.0)
        return inputs.with_values(self.config.gain * self.finished(mapped.cumsum(dim=1), inputs))

    def finished(self, values: Tensor, inputs: Sequence) -> Tensor:
        """A place for faults."""
        return torch.where(inputs.mask.unsqueeze(-1), values, torch.zeros_like(values))

    def step(self, x_t: Sequence, state: Tensor) -> tuple[Sequence, Tensor]:
        state = state + torch.where(x_t.mask.unsqueeze(-1), self.linear(real(x_t)), 0.0)
        return x_t.with_values(self.config.gain * self.finished(state, x_t)), state

    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> dict[str, Tensor]:
        return {"size": output.values.square().mean()}


@dataclass(frozen=True, kw_only=True)
class PlainMotionConfig(MotionConfig):
    """Nothing to set."""

    context: ClassVar[int] = 2

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        if stream.unit != "intensity":
            raise StreamError(f"unit {stream.unit!r} is not accepted", "accepts 'intensity'")
        channels = tuple(f"d{name}" for name in stream.channels)
        return FrameStream(
            channels=channels, unit="relative", height=stream.height, width=stream.width, steps=stream.steps
        )


class PlainMotion(MotionFrontEnd[PlainMotionConfig]):
    """Differences of neighboring real frames."""

    def __init__(self, config: PlainMotionConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        frames = real(inputs)
        both = (inputs.mask[:, 1:] & inputs.mask[:, :-1])[:, :, None, None, None]
        moved = torch.where(both, frames[:, 1:] - frames[:, :-1], torch.zeros_like(frames[:, 1:]))
        return inputs.with_values(torch.cat([torch.zeros_like(frames[:, :1]), moved], dim=1))


@dataclass(frozen=True, kw_only=True)
class PlainFeaturesConfig(FeaturesConfig):
    """Nothing to set."""

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=4, steps=stream.steps)


class PlainFeatures(FeatureExtractor[PlainFeaturesConfig]):
    """A linear map of the mean color."""

    def __init__(self, config: PlainFeaturesConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(len(stream.channels), 4)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.linear(real(inputs).mean(dim=(-2, -1))))


@dataclass(frozen=True, kw_only=True)
class PlainFusionConfig(FusionConfig):
    """Nothing to set."""

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        first = next(iter(streams.values()))
        return FeatureStream(dim=4, steps=first.steps)


class PlainFusion(Fusion[PlainFusionConfig]):
    """A linear map of all branches."""

    def __init__(self, config: PlainFusionConfig, streams: Mapping[str, FeatureStream]) -> None:
        super().__init__(config)
        self.linear = nn.Linear(sum(stream.dim for stream in streams.values()), 4)

    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        first = next(iter(inputs.values()))
        return first.with_values(self.linear(torch.cat([real(part) for part in inputs.values()], dim=-1)))


@dataclass(frozen=True, kw_only=True)
class PlainHeadConfig(HeadConfig):
    """Attributes:
    targets: classes.
    """

    targets: tuple[str, ...] = CLASSES

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem="multiclass", resolution="frame", targets=self.targets)


class PlainHead(TaskHead[PlainHeadConfig]):
    """Softmax regression per frame."""

    def __init__(self, config: PlainHeadConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(stream.dim, len(config.targets))
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, inputs: Sequence) -> Tensor:
        scores: Tensor = self.linear(real(inputs))
        return scores

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        valid = targets.valid & mask
        picked = scores.log_softmax(-1).gather(-1, targets.values.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return masked_mean(-picked, valid)

    def predict(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)


@dataclass(frozen=True, kw_only=True)
class PlainLateConfig(LateFusionConfig):
    """Nothing to set."""

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return next(iter(members.values()))


class PlainLate(LateFusion[PlainLateConfig]):
    """The mean."""

    def __init__(self, config: PlainLateConfig, members: Mapping[str, PredictionStream]) -> None:
        super().__init__(config)
        self.problem = next(iter(members.values())).problem

    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        return torch.stack(list(members.values())).mean(dim=0)


@dataclass(frozen=True, kw_only=True)
class PlainMapConfig(ScoreMapConfig):
    """Nothing to set."""

    def output(self, stream: PredictionStream) -> PredictionStream:
        return stream


class PlainMap(ScoreMap[PlainMapConfig]):
    """Half of every score."""

    def __init__(self, config: PlainMapConfig, stream: PredictionStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(0.5 * inputs.values)


@dataclass(frozen=True, kw_only=True)
class PlainDetectorConfig(FaceDetectorConfig):
    """Nothing to set."""


class PlainDetector(FaceDetector[PlainDetectorConfig]):
    """The middle of every picture."""

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = image.shape[:2]
        return [Face(box=(width / 4, height / 4, width / 2, height / 2))]


@dataclass(frozen=True, kw_only=True)
class PlainSpotterConfig(SpotterConfig):
    """Nothing to set."""

    def check_input(self, stream: FrameStream) -> None:
        if stream.unit != "intensity" or stream.steps:
            raise StreamError(f"{stream} is not accepted", "give a window of intensities")


@dataclass
class Open:
    """What the spotter remembers: the frame before, and since when the picture has moved."""

    before: Tensor | None = None
    since: float | None = None
    last: float = 0.0
    seen: list[float] = field(default_factory=list)


class PlainSpotter(Spotter[PlainSpotterConfig]):
    """An event for as long as neighboring frames differ."""

    def __init__(self, config: PlainSpotterConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def start(self, fps: float | None) -> Any:
        return Open()

    def push(self, state: Any, frames: Sequence) -> list[Event]:
        events: list[Event] = []
        for t in range(frames.mask.shape[1]):
            now, frame = frames.times[0, t].item(), frames.values[0, t]
            moves = state.before is not None and (frame - state.before).abs().max().item() > 0.02
            if moves and state.since is None:
                state.since = now
            if not moves and state.since is not None:
                events += self.closed(state)
            state.before, state.last = frame, now
        return events

    def finish(self, state: Any) -> list[Event]:
        return self.closed(state) if state.since is not None else []

    def closed(self, state: Any) -> list[Event]:
        """The open event, ended at the frame before this one."""
        onset, state.since = state.since, None
        return [Event(kind="other", onset=onset, offset=state.last)]


@dataclass(frozen=True, kw_only=True)
class PlainDatasetConfig(DatasetConfig):
    """Nothing to set."""


class PlainDataset(Dataset[PlainDatasetConfig]):
    """Knows no folder."""

    def scan(self, root: Path) -> Index:
        raise InputError(f"{root}: no labels.csv; give the folder that holds it")


def spec(kind: str, factory: Any, **changes: Any) -> ComponentSpec[Any]:
    """A spec of this kind for a module class, with the plain config unless `changes` say otherwise."""
    cls, config, example = {
        "motion": (MotionSpec, PlainMotionConfig, None),
        "features": (FeaturesSpec, PlainFeaturesConfig, None),
        "fusion": (FusionSpec, PlainFusionConfig, None),
        "temporal": (TemporalSpec, PlainTemporalConfig, None),
        "head": (HeadSpec, PlainHeadConfig, None),
        "late-fusion": (LateFusionSpec, PlainLateConfig, None),
        "map": (ScoreMapSpec, PlainMapConfig, PlainMapConfig(source="mood")),
        "faces": (FaceDetectorSpec, PlainDetectorConfig, None),
        "spotter": (SpotterSpec, PlainSpotterConfig, None),
        "dataset": (DatasetSpec, PlainDatasetConfig, None),
    }[kind]
    given: dict[str, Any] = {"name": "it", "config": config, "summary": "One.", "example": example}
    made: ComponentSpec[Any] = cls(factory=factory, **(given | changes))
    return made


CLEAN: tuple[ComponentSpec[Any], ...] = (
    spec("motion", PlainMotion, name="plain-motion"),
    spec("features", PlainFeatures, name="plain-features"),
    spec("fusion", PlainFusion, name="plain-fusion"),
    spec("temporal", PlainTemporal, name="plain-temporal"),
    spec("head", PlainHead, name="plain-head"),
    spec("late-fusion", PlainLate, name="plain-late"),
    spec("map", PlainMap, name="plain-map"),
    spec("faces", PlainDetector, name="plain-detector"),
    spec("spotter", PlainSpotter, name="plain-spotter"),
    spec("dataset", PlainDataset, name="plain-dataset"),
)
