"""What flows between components, described as data: shapes, units and meaning, never tensors.

A component's config maps a description of its input to a description of its output (`config.output(stream)`), so a
pipeline is checked, and its widths are threaded through, before torch is imported. Letters: B batch, T time,
C channels, H height, W width, D feature width, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, TypeVar

from affectkit.errors import ConfigError, StreamError, listed

Unit = Literal["intensity", "pixel", "iod", "relative"]
Problem = Literal["multiclass", "multilabel", "ordinal", "regression"]
Resolution = Literal["frame", "clip"]

UNITS: tuple[Unit, ...] = ("intensity", "pixel", "iod", "relative")
RESOLUTIONS: tuple[Resolution, ...] = ("frame", "clip")
PROBLEMS: tuple[Problem, ...] = ("multiclass", "multilabel", "ordinal", "regression")
RGB = ("r", "g", "b")
S = TypeVar("S", "FrameStream", "FeatureStream")


@dataclass(frozen=True, kw_only=True)
class FrameStream:
    """Images over time, `(B, T, C, H, W)` float.

    Attributes:
        channels: what each channel holds, by name: `("r", "g", "b")`, `("u", "v", "strain")`.
        unit: `intensity` in [0, 1]; `pixel` (displacement); `iod` (displacement as a fraction of the inter-ocular
            distance); `relative` (each map scaled on its own, so magnitudes are not comparable between maps).
        height: pixels.
        width: pixels.
        fps: frames per second where it is fixed; None where the times say it.
        alignment: name of the template to which faces are aligned; `none` for frames as they are.
        steps: names of a fixed number of steps, such as `("onset", "apex", "offset")`; empty for a window of any T.
    """

    tag: ClassVar[str] = "frames"
    channels: tuple[str, ...] = RGB
    unit: Unit = "intensity"
    height: int
    width: int
    fps: float | None = None
    alignment: str = "none"
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # not a `Config`, whose module imports this one: streams check themselves
        # a list becomes a tuple, since streams are hashed; plain setattr is refused in a frozen dataclass
        object.__setattr__(self, "channels", _names(self.channels, "channels"))
        object.__setattr__(self, "steps", _names(self.steps, "steps"))
        if not self.channels:
            raise ConfigError("no channels", "name at least one, such as ('r', 'g', 'b')", path="channels")
        if self.unit not in UNITS:
            raise ConfigError(f"unknown unit {self.unit!r}", f"units: {listed(UNITS)}", path="unit")
        _positive(self.height, "height")
        _positive(self.width, "width")
        object.__setattr__(self, "fps", _rate(self.fps))
        if not isinstance(self.alignment, str) or not self.alignment:
            fact = f"{self.alignment!r} is no template's name"
            raise ConfigError(fact, "write 'none' for frames as they are", path="alignment")

    def __str__(self) -> str:
        time = ",".join(self.steps) if self.steps else "T"
        return f"frames [{time}] {'+'.join(self.channels)} {self.height}x{self.width} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class FeatureStream:
    """Feature vectors over time, `(B, T, D)` float.

    Attributes:
        dim: D, the width of a vector.
        fps: vectors per second where it is fixed; None where the times say it.
        stride: frames of the clip per vector.
        steps: names of a fixed number of steps; empty for a window of any T.
    """

    tag: ClassVar[str] = "features"
    dim: int
    fps: float | None = None
    stride: int = 1
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _names(self.steps, "steps"))
        _positive(self.dim, "dim")
        _positive(self.stride, "stride")
        object.__setattr__(self, "fps", _rate(self.fps))

    def __str__(self) -> str:
        time = ",".join(self.steps) if self.steps else "T"
        return f"features [{time}] {self.dim}" + (f" stride {self.stride}" if self.stride != 1 else "")


@dataclass(frozen=True, kw_only=True)
class PredictionStream:
    """What a head or score map scores: raw scores `(B, K)` per clip or `(B, T, K)` per frame.

    Attributes:
        problem: `multiclass` (one of K; scores are logits or log-probabilities), `multilabel` (any of K; logits),
            `ordinal` (levels, such as AU intensity; scores are on the scale of `bounds`) or `regression`.
        resolution: one score vector per `frame` or per `clip`.
        targets: the K names, in the order of the scores.
        bounds: lowest and highest value of an ordinal or regression target; None where there is no bound.
    """

    problem: Problem
    resolution: Resolution
    targets: tuple[str, ...]
    bounds: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", _names(self.targets, "targets"))
        if not self.targets:
            raise ConfigError("no targets", "name at least one", path="targets")
        if self.problem not in PROBLEMS:
            raise ConfigError(f"unknown problem {self.problem!r}", f"problems: {listed(PROBLEMS)}", path="problem")
        if self.resolution not in RESOLUTIONS:
            fact = f"unknown resolution {self.resolution!r}"
            raise ConfigError(fact, f"resolutions: {listed(RESOLUTIONS)}", path="resolution")
        # a softmax over one class is 1 whatever the network says
        if self.problem == "multiclass" and len(self.targets) < 2:
            raise ConfigError(f"one target {self.targets[0]!r}", "multiclass needs two or more", path="targets")
        # `not a < b`, here and below: unlike `a >= b` it is also true of NaN
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ConfigError(f"bounds {self.bounds!r} are empty", "write (lowest, highest)", path="bounds")

    def __str__(self) -> str:
        names = ", ".join(self.targets[:8]) + (", ..." if len(self.targets) > 8 else "")
        return f"{self.problem} per {self.resolution}: {names}"


InputStream = FrameStream | FeatureStream
Stream = FrameStream | FeatureStream | PredictionStream


def with_changes(stream: S, **changes: object) -> S:
    """`stream` with some attributes replaced; a name that it does not have raises TypeError."""
    return replace(stream, **changes)  # type: ignore[arg-type]


def require_channels(stream: FrameStream, *accepted: Items[str]) -> None:
    """Raise StreamError unless the channels are, in order, one of the `accepted` tuples."""
    if stream.channels not in {tuple(names) for names in accepted}:
        # no path, here and below: a component does not know where it stands; `stage_output` adds it
        raise StreamError(f"channels {stream.channels!r} are not accepted", f"accepts {listed(map(tuple, accepted))}")


def require_unit(stream: FrameStream, *accepted: Unit) -> None:
    """Raise StreamError unless the unit is one of `accepted`."""
    if stream.unit not in accepted:
        raise StreamError(f"unit {stream.unit!r} is not accepted", f"accepts {listed(accepted)}")


def require_steps(stream: InputStream, *accepted: Items[str]) -> None:
    """Raise StreamError unless the named steps are one of the `accepted` tuples; `()` stands for a window of any T."""
    if stream.steps not in {tuple(names) for names in accepted}:
        raise StreamError(f"steps {stream.steps!r} are not accepted", f"accepts {listed(map(tuple, accepted))}")


def require_size(stream: FrameStream, *, at_least: int, multiple_of: int = 1) -> None:
    """Raise StreamError if the frames are smaller than `at_least` pixels or no multiple of `multiple_of`."""
    for side, value in (("height", stream.height), ("width", stream.width)):
        if value < at_least:
            raise StreamError(f"{side} {value} is too small", f"give frames of at least {at_least} pixels")
        if value % multiple_of:
            # division rounded up, without floats
            padded = -(-value // multiple_of) * multiple_of
            raise StreamError(f"{side} {value} is no multiple of {multiple_of}", f"the next size that fits is {padded}")


def _names(names: Items[str], path: str) -> tuple[str, ...]:
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{names!r} is no tuple of names", "write ('a', 'b')", path=path)
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ConfigError(f"{listed(twice)} named twice", "names are unique", path=path)
    return tuple(names)


def _positive(value: int, path: str) -> None:
    # True is an int to Python
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{value!r} is not a positive whole number", "write 1 or more", path=path)


def _rate(fps: float | None) -> float | None:
    if fps is None:
        return None
    if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps < float("inf"):
        raise ConfigError(f"{fps!r} is not a frame rate", "write frames per second, or leave it out", path="fps")
    # 25 equals 25.0, but is written differently, which would change the hash of what is saved
    return float(fps)
