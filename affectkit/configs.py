"""Config bases: one per kind of component, the samplings, and the base of pipelines and ensembles.

A component's config is its data half: a frozen keyword-only dataclass that derives from the base of its kind, and says
by `output(stream)` what comes out for what goes in. Cross-field rules go into `validate`, which runs after the fields
were checked; `__post_init__` belongs to `Config`, so that no subclass can forget the checks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from affectkit.errors import ConfigError
from affectkit.fields import coerce, field_types
from affectkit.records import EventKind
from affectkit.streams import FeatureStream, FrameStream, InputStream, PredictionStream

if TYPE_CHECKING:
    from affectkit.model import Model
    from affectkit.registry import Registry
    from affectkit.tracing import Trace

# Seconds by which a clip may be shorter than it has to be: containers round times to a millisecond.
ROUNDING = 1e-3


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of everything that is data: checks and normalizes every field when it is made.

    Raises:
        ConfigError: a value has the wrong type or breaks a rule of `validate`; the path names the field.
    """

    def __post_init__(self) -> None:
        for name, annotation in field_types(type(self)).items():
            value = getattr(self, name)
            try:
                checked = coerce(value, annotation, name)
            except ConfigError as error:
                suggestion = f"{error.suggestion} ({type(self).__name__})" if error.suggestion else type(self).__name__
                # the class goes behind, not into the path: the path is what a file's reader looks up
                raise type(error)(error.fact, suggestion, path=error.path) from None
            # a frozen dataclass refuses plain setattr, from its own methods too
            if checked is not value:
                object.__setattr__(self, name, checked)
        # last: rules between fields may count on every field having its type
        self.validate()

    def validate(self) -> None:
        """Check rules between fields; raise `ConfigError(fact, suggestion, path="field")`. The default has none."""


# Kinds without fields of their own carry no decorator: they inherit what it makes, and each one takes time to make.
class ComponentConfig(Config):
    """Base of the ten kinds. Derive from a kind's base, not from this."""

    kind: ClassVar[str] = ""

    @property
    def is_frozen(self) -> bool:
        """Whether training leaves the built module's parameters and buffers as they are (true if it has none)."""
        return False


class MotionConfig(ComponentConfig, ABC):
    """Config of a motion front-end: frames in, frames out (differences, optical flow, magnified frames).

    Attributes:
        context: how many frames at the least the module needs to see motion; 1 where it works on single frames.
    """

    kind: ClassVar[str] = "motion"
    context: ClassVar[int] = 1

    @property
    def least_seconds(self) -> float:
        """Length of its filter over time: a shorter clip or window has too little of the motion; 0 where any will do.

        A module computes them all the same, down to T = 1. Who has the whole clip or sets the window refuses them.
        """
        return 0.0

    @abstractmethod
    def output(self, stream: FrameStream) -> FrameStream:
        """What comes out for `stream`; raises StreamError if the front-end does not accept it."""


class FeaturesConfig(ComponentConfig, ABC):
    """Config of a feature extractor: frames in, one vector per frame out, unless `output` changes the steps."""

    kind: ClassVar[str] = "features"

    @abstractmethod
    def output(self, stream: FrameStream) -> FeatureStream:
        """What comes out for `stream`; raises StreamError if the extractor does not accept it."""


class FusionConfig(ComponentConfig, ABC):
    """Config of a fusion: named feature streams with equal times in, one out."""

    kind: ClassVar[str] = "fusion"

    @abstractmethod
    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        """What comes out for `streams`; raises StreamError if they can't be fused."""


class TemporalConfig(ComponentConfig, ABC):
    """Config of a temporal encoder: features in, features of the same times out."""

    kind: ClassVar[str] = "temporal"

    @property
    def is_causal(self) -> bool:
        """Whether a time step's output depends on nothing after it; then the module has a streaming `step`."""
        return False

    @abstractmethod
    def output(self, stream: FeatureStream) -> FeatureStream:
        """What comes out for `stream`; raises StreamError if the encoder does not accept it."""


@dataclass(frozen=True, kw_only=True)
class HeadConfig(ComponentConfig, ABC):
    """Config of a task head: features in, raw scores out; it owns the loss and the decoding.

    Attributes:
        weight: factor of this head's loss in the sum of losses, at least 0.
    """

    kind: ClassVar[str] = "head"
    weight: float = 1.0

    def validate(self) -> None:
        if self.weight < 0:
            raise ConfigError(f"{self.weight!r} is negative", "write 0 or more", path="weight")

    @abstractmethod
    def output(self, stream: FeatureStream) -> PredictionStream:
        """What the head scores; raises StreamError if it does not accept `stream`."""


class LateFusionConfig(ComponentConfig, ABC):
    """Config of a late fusion at score level: the members' probabilities or values for common targets in, one out."""

    kind: ClassVar[str] = "late-fusion"

    @property
    def can_leave_out(self) -> bool:
        """Whether the module joins any of the members that it was built for, where others are not in the mapping."""
        return False

    @abstractmethod
    def output(self, members: Mapping[str, PredictionStream]) -> PredictionStream:
        """What comes out for the members' streams, already restricted to common targets in one order."""


@dataclass(frozen=True, kw_only=True)
class ScoreMapConfig(ComponentConfig, ABC):
    """Config of a score map: scores of a head or an earlier map in, scores at the same or new targets out.

    Attributes:
        source: name of the head or map whose scores it takes.
    """

    kind: ClassVar[str] = "map"
    source: str

    @abstractmethod
    def output(self, stream: PredictionStream) -> PredictionStream:
        """What comes out for the scores of `source`; raises StreamError if the map does not accept them."""


class FaceDetectorConfig(ComponentConfig):
    """Config of a face detector: one picture in, faces out."""

    kind: ClassVar[str] = "faces"


class SpotterConfig(ComponentConfig, ABC):
    """Config of a spotter: frames of a face in, events out, in constant memory."""

    kind: ClassVar[str] = "spotter"

    @property
    def memory_seconds(self) -> float:
        """How far back its state looks: started this long before, a spotter finds the same events from there on.

        Events are no longer than this either, and are final at most this long after their offset.
        """
        return 10.0

    @abstractmethod
    def check_input(self, stream: FrameStream) -> None:
        """Raise StreamError unless the spotter can work on `stream` (a window of any T, no named steps)."""


class DatasetConfig(ComponentConfig):
    """Config of a dataset reader: a folder in, an index of samples and issues out."""

    kind: ClassVar[str] = "dataset"

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        """By target of its samples, what the labels' numbers or columns mean: classes, units; where that is known."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Frames(Config):
    """Sampling: every frame on its own, T = 1."""

    tag: ClassVar[str] = "frames"


@dataclass(frozen=True, kw_only=True)
class Windows(Config):
    """Sampling: windows of the clip; where they overlap, a frame's predictions are averaged.

    Attributes:
        seconds: length of a window.
        hop_seconds: from one window's start to the next; at most `seconds`, so that no frame is left out.
    """

    tag: ClassVar[str] = "windows"
    seconds: float = 2.0
    hop_seconds: float = 1.0

    def validate(self) -> None:
        for name in ("seconds", "hop_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{getattr(self, name)!r} is no duration", "write more than 0 seconds", path=name)
        if self.hop_seconds > self.seconds:
            raise ConfigError(
                f"{self.hop_seconds!r} is more than seconds={self.seconds!r}, which would leave frames out",
                "hop by the length of a window or less",
                path="hop_seconds",
            )


@dataclass(frozen=True, kw_only=True)
class Events(Config):
    """Sampling: a spotter proposes events, and each event's keyframes are one sample.

    Attributes:
        spotter: finds the events.
        keyframes: which moments of the event are handed to the pipeline, in the order of the inputs' steps; empty for
            all frames from onset to offset.
        apex: what to take where the spotter gives no apex: the `middle` of the event, or `reject` the event (it stays
            in the table with its reason).
        kinds: which kinds of event are scored; empty for all. Others stay in the table, without label and predictions.
    """

    tag: ClassVar[str] = "events"
    spotter: SpotterConfig
    keyframes: tuple[str, ...] = ("onset", "apex", "offset")
    apex: Literal["middle", "reject"] = "middle"
    kinds: tuple[EventKind, ...] = ()

    def validate(self) -> None:
        unknown = [name for name in self.keyframes if name not in ("onset", "apex", "offset")]
        if unknown:
            raise ConfigError(
                f"{unknown[0]!r} is no moment of an event", "moments: 'onset', 'apex', 'offset'", path="keyframes"
            )


Sampling = Frames | Windows | Events


@dataclass(frozen=True, kw_only=True)
class Tracking(Config):
    """How detected faces are joined to tracks.

    Attributes:
        max_gap_seconds: a track survives a gap of up to this.
        max_faces: tracks kept per frame, the largest; None for all. A kept one loses its place only to a face that is
            clearly larger, or when its track ends.
        min_confidence: a face with a lower score has status `low_confidence`, and is joined to tracks after the
            others; in [0, 1].
        min_size: a face whose box has a shorter side of fewer pixels has status `low_confidence`.
    """

    max_gap_seconds: float = 1.0
    max_faces: int | None = None
    min_confidence: float = 0.7
    min_size: float = 20.0

    def validate(self) -> None:
        if self.max_gap_seconds < 0:
            raise ConfigError(f"{self.max_gap_seconds!r} is negative", "write 0 or more", path="max_gap_seconds")
        if self.max_faces is not None and self.max_faces < 1:
            raise ConfigError(f"{self.max_faces!r} faces", "write 1 or more, or leave it out for all", path="max_faces")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"{self.min_confidence!r} is no confidence", "write 0 to 1", path="min_confidence")
        if self.min_size < 0:
            raise ConfigError(f"{self.min_size!r} is negative", "write 0 or more pixels", path="min_size")


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config, ABC):
    """Base of `PipelineConfig` and `EnsembleConfig`: whatever can be traced, built and saved.

    Attributes:
        sampling: how a video is cut into samples; None where samples come from a dataset or the caller. In an ensemble
            the outermost counts.
        faces: the face detector; None for the application's default.
        tracking: how faces are joined to tracks.
    """

    sampling: Sampling | None = None
    faces: FaceDetectorConfig | None = None
    tracking: Tracking = field(default_factory=Tracking)

    @abstractmethod
    def input_streams(self) -> Mapping[str, InputStream]:
        """Inputs that a batch has to hold, by name."""

    @abstractmethod
    def trace(self, *, registry: Registry | None = None) -> Trace:
        """Thread stream descriptions through every stage, without torch.

        Raises:
            StreamError: two stages do not fit; the path names the stage.
            ConfigError: the composition itself is wrong (no heads, a map of an unknown source).
        """

    @abstractmethod
    def build(self, *, registry: Registry | None = None) -> Model:
        """Trace, then make the `nn.Module`. Never loads weights."""
