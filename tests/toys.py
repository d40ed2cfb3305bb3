"""Toy components of every kind, without torch: what the tests of the core compose. They are traced, never built."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest

from affectkit.configs import (
    DatasetConfig,
    FaceDetectorConfig,
    FeaturesConfig,
    FusionConfig,
    HeadConfig,
    LateFusionConfig,
    MotionConfig,
    ScoreMapConfig,
    SpotterConfig,
    TemporalConfig,
)
from affectkit.fields import dial
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import Registry
from affectkit.specs import (
    ComponentSpec,
    DatasetSpec,
    FaceDetectorSpec,
    FeaturesSpec,
    FusionSpec,
    HeadSpec,
    LateFusionSpec,
    MotionSpec,
    ScoreMapSpec,
    SpotterSpec,
    TemporalSpec,
)
from affectkit.streams import (
    RGB,
    FeatureStream,
    FrameStream,
    PredictionStream,
    Problem,
    Resolution,
    require_channels,
    require_steps,
    require_unit,
    with_changes,
)

KEYFRAMES = ("onset", "apex", "offset")
RGB_CLIP = FrameStream(height=8, width=8)
KEYFRAME_CLIP = FrameStream(height=8, width=8, steps=KEYFRAMES)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class FlowConfig(MotionConfig):
    """RGB in, pixels out; needs two frames."""

    context: ClassVar[int] = 2
    alpha: float = dial(4.0, choices=(1, 2, 4, 8))

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, RGB)
        return with_changes(stream, channels=("u", "v"), unit="pixel")


@dataclass(frozen=True, kw_only=True)
class PhasesConfig(MotionConfig):
    """Three keyframes in, two phases out."""

    def output(self, stream: FrameStream) -> FrameStream:
        require_steps(stream, KEYFRAMES)
        return with_changes(stream, steps=("contraction", "relaxation"))


@dataclass(frozen=True, kw_only=True)
class FlowNetConfig(FeaturesConfig):
    """Takes flow in pixels only."""

    dim: int = 4

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, ("u", "v"))
        require_unit(stream, "pixel")
        return FeatureStream(dim=self.dim, fps=stream.fps, steps=stream.steps)


@dataclass(frozen=True, kw_only=True)
class NetConfig(FeaturesConfig):
    """Takes any frames."""

    dim: int = 8
    stride: int = 1
    frozen: bool = False

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, fps=stream.fps, stride=self.stride, steps=stream.steps)


@dataclass(frozen=True, kw_only=True)
class JoinConfig(FusionConfig):
    """Concatenates."""

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        return FeatureStream(
            dim=sum(stream.dim for stream in streams.values()), steps=next(iter(streams.values())).steps
        )


@dataclass(frozen=True, kw_only=True)
class LeakyConfig(TemporalConfig):
    """A temporal encoder with dials: one, a tuple of them, and one below a mapping."""

    rate: float = dial(0.5, low=0.0, high=1.0)
    ratios: tuple[int, ...] = dial((1, 2), choices=(1, 2, 3))
    parts: Mapping[str, FlowConfig] = field(default_factory=dict)

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A plain nested record."""

    size: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another one, that a file tells from `Tagged` by its tag."""

    tag: ClassVar[str] = "other"
    size: int = 1


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """See `Other`."""

    tag: ClassVar[str] = "tagged"
    width: int = 1


@dataclass(frozen=True, kw_only=True)
class RichConfig(TemporalConfig):
    """A field of every kind that a config may have."""

    flag: bool = False
    count: int = 1
    ratio: float = 0.5
    name: str = "a"
    mode: Literal["sum", "concat", 3] = "sum"
    color: Color = Color.RED
    widths: tuple[int, ...] = (1, 2)
    pair: tuple[int, str] = (1, "a")
    either: int | float = 1
    shape: tuple[int, ...] | tuple[str, ...] | None = None
    maybe: int | None = None
    paint: Color | int | None = None
    table: Mapping[str, float] = field(default_factory=dict)
    inner: Inner = field(default_factory=lambda: Inner(size=1))
    inners: tuple[Inner, ...] = ()
    which: Tagged | Other = field(default_factory=Tagged)
    part: TemporalConfig | None = None
    parts: Mapping[str, tuple[Color | None, ...]] = field(default_factory=dict)

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


@dataclass(frozen=True, kw_only=True)
class NullConfig(TemporalConfig):
    """Fields in which None is not the default."""

    limit: int | None = 5
    sizes: tuple[int | None, ...] = ()
    table: Mapping[str, int | None] = field(default_factory=dict)

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


@dataclass(frozen=True, kw_only=True)
class ScoresConfig(HeadConfig):
    """Scores what it is told to."""

    targets: tuple[str, ...] = ("happy", "sad")
    problem: Problem = "multiclass"
    resolution: Resolution = "clip"

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem=self.problem, resolution=self.resolution, targets=self.targets)


@dataclass(frozen=True, kw_only=True)
class NarrowConfig(HeadConfig):
    """A head whose only field has no default; takes width 8 only, through a `part` that has to be leaky."""

    targets: tuple[str, ...]
    part: LeakyConfig | None = None

    def output(self, stream: FeatureStream) -> PredictionStream:
        return PredictionStream(problem="multilabel", resolution="frame", targets=self.targets)


@dataclass(frozen=True, kw_only=True)
class AverageConfig(LateFusionConfig):
    """Averages."""

    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        return next(iter(members.values()))


@dataclass(frozen=True, kw_only=True)
class SameConfig(ScoreMapConfig):
    """Leaves multiclass scores as they are."""

    def output(self, stream: PredictionStream) -> PredictionStream:
        return stream


@dataclass(frozen=True, kw_only=True)
class ToyFacesConfig(FaceDetectorConfig):
    """Finds faces."""


@dataclass(frozen=True, kw_only=True)
class ToySpotterConfig(SpotterConfig):
    """Works on RGB."""

    def check_input(self, stream: FrameStream) -> None:
        require_channels(stream, RGB)
        require_steps(stream, ())


@dataclass(frozen=True, kw_only=True)
class ToyDatasetConfig(DatasetConfig):
    """Reads nothing."""


def never(*args: Any) -> Any:
    """A factory that no test of the core may reach."""
    raise AssertionError(f"built with {args!r}")


SPECS: tuple[ComponentSpec[Any], ...] = (
    MotionSpec(name="flow", config=FlowConfig, factory=never, summary="Flow."),
    MotionSpec(name="phases", config=PhasesConfig, factory=never, summary="Phases."),
    FeaturesSpec(name="flow-net", config=FlowNetConfig, factory=never, summary="Network on flow."),
    FeaturesSpec(name="net", config=NetConfig, factory=never, summary="Network."),
    FusionSpec(name="join", config=JoinConfig, factory=never, summary="Join."),
    TemporalSpec(name="leaky", config=LeakyConfig, factory=never, summary="Leaky average."),
    TemporalSpec(name="rich", config=RichConfig, factory=never, summary="Every field."),
    TemporalSpec(name="null", config=NullConfig, factory=never, summary="None."),
    HeadSpec(name="scores", config=ScoresConfig, factory=never, summary="Scores."),
    HeadSpec(
        name="narrow", config=NarrowConfig, factory=never, summary="Narrow.", example=NarrowConfig(targets=("au1",))
    ),
    LateFusionSpec(name="average", config=AverageConfig, factory=never, summary="Average."),
    ScoreMapSpec(
        name="same", config=SameConfig, factory=never, summary="Same.", example=SameConfig(source="expression")
    ),
    FaceDetectorSpec(name="faces", config=ToyFacesConfig, factory=never, summary="Faces."),
    SpotterSpec(name="spotter", config=ToySpotterConfig, factory=never, summary="Events."),
    DatasetSpec(name="data", config=ToyDatasetConfig, factory=never, summary="Data."),
)
REGISTRY = Registry().with_components(*SPECS, provider="toys")


def pipeline(**fields: Any) -> PipelineConfig:
    """A small pipeline of one branch and one head, with some fields replaced."""
    return PipelineConfig(
        **{
            "input": RGB_CLIP,
            "branches": {"face": Branch(features=NetConfig())},
            "heads": {"expression": ScoresConfig()},
            **fields,
        }
    )


def message_of(expected: type[BaseException], call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """The whole message of the error, of exactly this class, that a call raises."""
    with pytest.raises(expected) as caught:
        call(*args, **kwargs)
    assert type(caught.value) is expected
    return str(caught.value)
