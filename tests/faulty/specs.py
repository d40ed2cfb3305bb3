"""Faults of specs, configs and factories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affectkit import FeatureStream, FrameStream, Requirement, StreamError, lazy
from affectkit.configs import FeaturesConfig, FusionConfig, TemporalConfig
from affectkit.errors import ConfigError
from affectkit.fields import dial
from tests.faulty.base import Fault, planted
from tests.faulty.clean import PlainFeatures, PlainFusion, PlainTemporal, PlainTemporalConfig, spec


def temporal(name: str, check: str, fact: str, cause: str = "", **changes: object) -> Fault:
    """A fault of the spec of a correct temporal encoder."""
    return Fault(name, check, spec("temporal", PlainTemporal, **changes), fact, cause)


LONG_SUMMARY = temporal(
    "long-summary",
    "summary_is_one_line",
    "the summary has 150 characters; a listing has room for 120",
    summary="word " * 29 + "words",
)
LOOSE_SUMMARY = temporal("loose-summary", "summary_is_one_line", "the summary is 'One. '", summary="One. ")


@dataclass(frozen=True, kw_only=True)
class SilentConfig(PlainTemporalConfig):
    """Says what `dim` is by inheritance, and nothing of its own fields."""

    depth: int = 1
    rate: float = 0.5


UNDOCUMENTED = temporal(
    "undocumented-field", "fields_are_documented", "SilentConfig says nothing of 'depth', 'rate'", config=SilentConfig
)

OUTSIDE_DOMAIN = temporal(
    "example-outside-domain",
    "dials_stay_in_their_domains",
    "dial 'gain' is 3.0, its domain is 1.0, 2.0",
    example=PlainTemporalConfig(gain=3.0),
)


@dataclass(frozen=True, kw_only=True)
class StubbornConfig(TemporalConfig):
    """A dial whose domain its own rules refuse.

    Attributes:
        gain: factor.
    """

    gain: float = dial(1.0, low=0.0, high=2.0)

    def validate(self) -> None:
        if not self.gain:
            raise ConfigError("0.0 hides everything", "write more than 0", path="gain")

    def output(self, stream: FeatureStream) -> FeatureStream:
        return stream


REFUSED_DIAL = temporal(
    "refused-dial",
    "dials_stay_in_their_domains",
    "dial 'gain' can't be 0.0 (gain: 0.0 hides everything; write more than 0)",
    config=StubbornConfig,
)


@dataclass(frozen=True, kw_only=True)
class DoublingConfig(TemporalConfig):
    """Doubles its width whenever it is made.

    Attributes:
        dim: half of the width.
    """

    dim: int = 4

    def validate(self) -> None:
        object.__setattr__(self, "dim", 2 * self.dim)

    def output(self, stream: FeatureStream) -> FeatureStream:
        return FeatureStream(dim=self.dim)


NO_ROUND_TRIP = temporal(
    "doubling-config",
    "example_round_trips",
    "DoublingConfig(dim=8) comes back from JSON as DoublingConfig(dim=16)",
    config=DoublingConfig,
)


@dataclass(frozen=True, kw_only=True)
class PickyConfig(FeaturesConfig):
    """Wants thermal pictures."""

    def output(self, stream: FrameStream) -> FeatureStream:
        if stream.channels != ("heat",):
            raise StreamError(f"channels {stream.channels!r} are not accepted", "accepts ('heat',)")
        return FeatureStream(dim=4, steps=stream.steps)


NO_STREAM = Fault(
    "accepts-no-candidate",
    "a_stream_is_accepted",
    spec("features", PlainFeatures, config=PickyConfig),
    "none of the 270 streams that the kit knows is accepted "
    "(first answer: channels ('r', 'g', 'b') are not accepted; accepts ('heat',))",
    "an unusual input; pass one that fits to the kit, streams={'it': FrameStream(...)}",
)
WRONG_STREAM = Fault(
    "accepts-not-what-was-passed",
    "a_stream_is_accepted",
    spec("features", PlainFeatures, config=PickyConfig),
    "streams['it'] is not accepted (channels ('cold',) are not accepted; accepts ('heat',))",
    "a stream that does not fit",
    {"it": FrameStream(channels=("cold",), height=8, width=8)},
)


@dataclass(frozen=True, kw_only=True)
class CrashingConfig(FeaturesConfig):
    """Takes for granted that there are two channels."""

    def output(self, stream: FrameStream) -> FeatureStream:
        return FeatureStream(dim={2: 4}[len(stream.channels)])


CRASHING_OUTPUT = Fault(
    "output-crashes",
    "a_stream_is_accepted",
    spec("features", PlainFeatures, config=CrashingConfig),
    "KeyError: 3",
)


@dataclass(frozen=True, kw_only=True)
class CountingConfig(TemporalConfig):
    """Counts its calls, beside its fields."""

    def output(self, stream: FeatureStream) -> FeatureStream:
        calls = getattr(self, "calls", 0)
        object.__setattr__(self, "calls", calls + 1)
        return FeatureStream(dim=8 + calls)


COUNTING = temporal(
    "output-counts", "output_is_pure", "output() said features [T] 9, and then features [T] 10", config=CountingConfig
)


@dataclass(frozen=True, kw_only=True)
class LearningConfig(TemporalConfig):
    """Remembers the width that it saw.

    Attributes:
        seen: the width.
    """

    seen: int = 0

    def output(self, stream: FeatureStream) -> FeatureStream:
        object.__setattr__(self, "seen", self.seen + stream.dim)
        return stream


LEARNING = temporal("output-changes-config", "output_is_pure", "output() changed the config", config=LearningConfig)


@dataclass(frozen=True, kw_only=True)
class EatingConfig(FusionConfig):
    """Takes branches out of the mapping."""

    def output(self, streams: Mapping[str, FeatureStream]) -> FeatureStream:
        if len(streams) > 1:
            del streams["b"]  # type: ignore[attr-defined]
        return FeatureStream(dim=4)


EATING = Fault(
    "output-changes-input",
    "output_is_pure",
    spec("fusion", PlainFusion, config=EatingConfig),
    "output() changed its input",
    streams={"it": {"a": FeatureStream(dim=8), "b": FeatureStream(dim=8)}},
)

NO_COMMAND = temporal(
    "no-install-command",
    "missing_dependency_is_explained",
    "the remedy for a missing 'json' is 'see our page'",
    "no command; write install=\"pip install 'distribution[extra]'\"",
    requires=(Requirement(module="json", install="see our page"),),
)
NO_MODULE = temporal(
    "distribution-for-module",
    "missing_dependency_is_explained",
    "requires module 'opencv-python', which no import can name",
    "the name of a distribution; write what is imported",
    requires=(Requirement(module="opencv-python", install="pip install opencv-python"),),
)


@dataclass(frozen=True, kw_only=True)
class GreedyConfig(TemporalConfig):
    """Needs the optional package for the width."""

    def output(self, stream: FeatureStream) -> FeatureStream:
        import colorsys

        return FeatureStream(dim=int(colorsys.rgb_to_hsv(1.0, 1.0, 1.0)[2]))


GREEDY = temporal(
    "config-imports-optional-package",
    "missing_dependency_is_explained",
    "without 'colorsys', output() fails: import of colorsys halted; None in sys.modules",
    config=GreedyConfig,
    requires=(Requirement(module="colorsys", install="pip install colors"),),
)


def unresolved(name: str, target: str, fact: str) -> Fault:
    """A fault of the factory."""
    return Fault(name, "factory_resolves", spec("temporal", lazy(target)), fact)


NO_SUCH_MODULE = unresolved(
    "no-such-module", "tests.faulty.nowhere:It", "'tests.faulty.nowhere:It' can't be imported "
    "(No module named 'tests.faulty.nowhere')"
)  # fmt: skip
NO_SUCH_CLASS = unresolved(
    "no-such-class", "tests.faulty.clean:It", "'tests.faulty.clean:It' can't be imported "
    "(module 'tests.faulty.clean' has no attribute 'It')"
)  # fmt: skip
NOT_CALLABLE = unresolved(
    "not-callable", "tests.faulty.clean:CLASSES", "'tests.faulty.clean:CLASSES' is tuple, which can't be called"
)
SETS_DTYPE = unresolved(
    "sets-default-dtype",
    "tests.faulty.sets_dtype:It",
    "importing 'tests.faulty.sets_dtype:It' sets torch's default dtype to torch.float64",
)
SETS_GRAD_MODE = unresolved(
    "sets-grad-mode",
    "tests.faulty.sets_grad_mode:It",
    "importing 'tests.faulty.sets_grad_mode:It' sets torch's grad mode to False",
)

FAULTS = planted(globals())
