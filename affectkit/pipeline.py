"""`PipelineConfig`: inputs, branches, fusion, temporal encoder, heads and maps, composed as data, traced without torch.

inputs ─┬ branch: motion[0] ▶ motion[1] ▶ extractor ┐
        ├ branch:                         extractor ├▶ fusion ▶ temporal encoder ▶ heads ▶ maps
        └ branch: (stored features) ────────────────┘
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from affectkit.configs import (
    ComponentConfig,
    Config,
    Events,
    FeaturesConfig,
    Frames,
    FusionConfig,
    HeadConfig,
    ModelConfig,
    MotionConfig,
    Sampling,
    ScoreMapConfig,
    TemporalConfig,
    Windows,
)
from affectkit.errors import ConfigError, RegistryError, StreamError, did_you_mean
from affectkit.fields import FrozenMapping
from affectkit.registry import Registry, default_registry
from affectkit.streams import FeatureStream, FrameStream, InputStream, PredictionStream, Stream, with_changes
from affectkit.tracing import Trace, TraceStep, stage_output

if TYPE_CHECKING:
    from affectkit.pipeline_model import Pipeline

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Branch(Config):
    """One way from an input to features.

    Attributes:
        source: name of the input.
        motion: front-ends, applied in order.
        features: the extractor; None where the source is stored features.
    """

    source: str = "clip"
    motion: tuple[MotionConfig, ...] = ()
    features: FeaturesConfig | None = None


@dataclass(frozen=True, kw_only=True)
class PipelineConfig(ModelConfig):
    """A facial-affect system as data.

    Attributes:
        input: short for `inputs={"clip": input}`.
        inputs: what a batch holds, by name.
        branches: ways from inputs to features, by name.
        fusion: joins the branches; required for more than one.
        temporal: relates the time steps; None to score every step on its own.
        heads: what is scored, by name; empty only with `Events` sampling.
        maps: scores to scores, by the name of what they give, in order, outside the training loss.

    Raises:
        ConfigError: names, sources and stages do not go together.
    """

    tag: ClassVar[str] = "pipeline"
    input: FrameStream | FeatureStream | None = None
    inputs: Mapping[str, FrameStream | FeatureStream] = field(default_factory=dict)
    branches: Mapping[str, Branch] = field(default_factory=dict)
    fusion: FusionConfig | None = None
    temporal: TemporalConfig | None = None
    heads: Mapping[str, HeadConfig] = field(default_factory=dict)
    maps: Mapping[str, ScoreMapConfig] = field(default_factory=dict)

    def validate(self) -> None:
        if self.input is not None and self.inputs:
            raise ConfigError("'input' and 'inputs' are both given", "write inputs alone", path="input")
        if self.input is not None:
            # one spelling inside, so that both ways of writing it are equal; frozen, as all fields are by now
            object.__setattr__(self, "inputs", FrozenMapping({"clip": self.input}))
            object.__setattr__(self, "input", None)
        if not self.inputs:
            raise ConfigError("no inputs", "write input=FrameStream(height=..., width=...)", path="inputs")
        for group in ("inputs", "branches", "heads", "maps"):
            check_names(getattr(self, group), group)
        self._check_branches()
        check_outputs(self.heads, self.maps)
        if not self.heads and not isinstance(self.sampling, Events):
            raise ConfigError("no heads", "add one, or sample Events with a spotter", path="heads")
        if self.heads and not self.branches:
            raise ConfigError("no branches", "heads need features: add a branch", path="branches")
        for name in ("branches", "fusion", "temporal", "maps"):
            if not self.heads and getattr(self, name):
                raise ConfigError("no heads", f"add one: without it, {name} would have no effect", path="heads")
        check_sampling(self.sampling, self.inputs, {f"branches.{name}": b for name, b in self.branches.items()})

    def _check_branches(self) -> None:
        # A pipeline without branches is a spotter's, which works on the first input.
        used = {branch.source for branch in self.branches.values()} or {next(iter(self.inputs))}
        for name, branch in self.branches.items():
            if branch.source not in self.inputs:
                hint = did_you_mean(branch.source, self.inputs, noun="inputs")
                raise ConfigError(f"no input {branch.source!r}", hint, path=f"branches.{name}.source")
            stored = isinstance(self.inputs[branch.source], FeatureStream)
            if stored and (branch.motion or branch.features is not None):
                fact = f"input {branch.source!r} holds stored features"
                raise ConfigError(fact, "leave out motion and features", path=f"branches.{name}")
            if not stored and branch.features is None:
                fact = f"input {branch.source!r} holds frames, and the branch has no extractor"
                raise ConfigError(fact, "write features=...", path=f"branches.{name}.features")
        unused = [name for name in self.inputs if name not in used]
        if unused:
            raise ConfigError("no branch uses it", "drop the input or add a branch", path=f"inputs.{unused[0]}")
        if len(self.branches) > 1 and self.fusion is None:
            raise ConfigError(f"{len(self.branches)} branches and no fusion", "write fusion=...", path="fusion")

    def input_streams(self) -> Mapping[str, InputStream]:
        return self.inputs

    def trace(self, *, registry: Registry | None = None) -> Trace:
        names = registry if registry is not None else default_registry()
        steps: list[TraceStep] = []
        if isinstance(self.sampling, Events):
            steps.append(trace_spotter(self.sampling, self.inputs, names))
        streams = {name: self._trace_branch(name, branch, names, steps) for name, branch in self.branches.items()}
        if not streams:
            return Trace(steps=tuple(steps), features=None, outputs={})
        stream = next(iter(streams.values()))
        if self.fusion is not None:
            stream = trace_fusion(self.fusion, streams, names, steps)
        if self.temporal is not None:
            before, stream = stream, stage_output("temporal", self.temporal.output, stream)
            add_step(steps, "temporal", names, self.temporal, {"in": before}, stream)
        outputs = trace_outputs(self.heads, self.maps, stream, names, steps)
        return Trace(steps=tuple(steps), features=stream, outputs=outputs)

    def _trace_branch(self, name: str, branch: Branch, names: Registry, steps: list[TraceStep]) -> FeatureStream:
        stream = self.inputs[branch.source]
        if isinstance(stream, FeatureStream):
            note = "stored features"
            path = f"branches.{name}"
            steps.append(TraceStep(path=path, component="-", inputs={branch.source: stream}, output=stream, note=note))
            return stream
        for i, motion in enumerate(branch.motion):
            path, before = f"branches.{name}.motion[{i}]", stream
            stream = stage_output(path, motion.output, before)
            add_step(steps, path, names, motion, {"in": before}, stream)
        assert branch.features is not None  # validate() made sure
        path = f"branches.{name}.features"
        output = stage_output(path, branch.features.output, stream)
        add_step(steps, path, names, branch.features, {"in": stream}, output)
        return output

    def build(self, *, registry: Registry | None = None) -> Pipeline:
        # here, because it imports torch
        from affectkit.pipeline_model import Pipeline

        return Pipeline(self, registry=registry)


def check_sampling(
    sampling: Sampling | None, inputs: Mapping[str, InputStream], branches: Mapping[str, Branch]
) -> None:
    """Raise ConfigError if the sampling does not give what the inputs and the branches, by path, need."""
    stepped = [name for name, stream in inputs.items() if stream.steps]
    if isinstance(sampling, Events):
        for name in stepped:
            if inputs[name].steps != sampling.keyframes:
                fact = f"steps {inputs[name].steps!r} are not the keyframes {sampling.keyframes!r}"
                raise ConfigError(fact, "make them equal", path=f"inputs.{name}.steps")
    elif sampling is not None and stepped:
        steps = inputs[stepped[0]].steps
        fact = f"{type(sampling).__name__} gives no named steps, and input {stepped[0]!r} has {steps!r}"
        raise ConfigError(fact, "sample Events, or leave sampling out", path="sampling")
    if isinstance(sampling, Frames):
        for path, branch in branches.items():
            for i, motion in enumerate(branch.motion):
                # modules have to work at T = 1, so nothing later would notice that there is no motion to see
                if motion.context > 1:
                    fact = f"needs {motion.context} frames, and Frames sampling gives one"
                    raise ConfigError(fact, "sample Windows", path=f"{path}.motion[{i}]")
    if isinstance(sampling, Windows):
        check_windows(sampling, branches)


def check_windows(sampling: Windows, branches: Mapping[str, Branch]) -> None:
    """Raise ConfigError if windows are shorter than the filter of a front-end; `branches` by path."""
    for path, branch in branches.items():
        for i, motion in enumerate(branch.motion):
            if sampling.seconds < motion.least_seconds:
                fact = f"needs {motion.least_seconds:.3g} s, and Windows sampling gives {sampling.seconds:.3g} s"
                enough = math.ceil(100 * motion.least_seconds) / 100
                remedy = f"sample Windows(seconds={enough:g}), or raise the lowest frequency of its filter"
                raise ConfigError(fact, remedy, path=f"{path}.motion[{i}]")


def check_names(names: Iterable[str], group: str) -> None:
    """Raise ConfigError unless every name can be part of a path and of a state-dict key."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name", "use a-z, 0-9 and _, beginning with a letter", path=group)


def check_outputs(heads: Iterable[str], maps: Mapping[str, ScoreMapConfig], given: Iterable[str] = ()) -> None:
    """Raise ConfigError if a map takes scores that nothing before it gives, or takes a name that is in use.

    `given` are names of scores that exist without a head: an ensemble's joined outputs.
    """
    known = [*heads, *given]
    for name, config in maps.items():
        if name in known:
            raise ConfigError(f"{name!r} is taken by a head or map", "give the map another name", path=f"maps.{name}")
        if config.source not in known:
            hint = did_you_mean(config.source, known, noun="heads and earlier maps")
            raise ConfigError(f"no scores {config.source!r}", hint, path=f"maps.{name}.source")
        # only now, so that a map sees earlier ones alone: no cycles, and the order written is the order run
        known.append(name)


def add_step(
    steps: list[TraceStep],
    path: str,
    names: Registry,
    config: ComponentConfig,
    inputs: Mapping[str, Stream],
    output: Stream,
    note: str = "",
) -> None:
    """Append the step of one component."""
    component = component_id(path, config, names)
    steps.append(TraceStep(path=path, component=component, inputs=dict(inputs), output=output, note=note))


def component_id(path: str, config: ComponentConfig, names: Registry) -> str:
    """The full id of a component; RegistryError with its path where no plugin provides it."""
    try:
        return names.id_of(type(config))
    except RegistryError as error:
        raise type(error)(f"{path}: {error}") from None


def trace_spotter(sampling: Events, inputs: Mapping[str, InputStream], names: Registry) -> TraceStep:
    """The step of the spotter, which works on the first input."""
    source, stream = next(iter(inputs.items()))
    path = "sampling.spotter"
    if not isinstance(stream, FrameStream):
        raise StreamError(f"input {source!r} is {stream}", "a spotter works on frames", path=path)
    # the spotter sees the whole clip; named steps come into being with its events
    clip = with_changes(stream, steps=())
    component = component_id(path, sampling.spotter, names)
    stage_output(path, sampling.spotter.check_input, clip)
    return TraceStep(path=path, component=component, inputs={source: clip}, output=None, note="events")


def trace_fusion(
    fusion: FusionConfig, streams: Mapping[str, FeatureStream], names: Registry, steps: list[TraceStep]
) -> FeatureStream:
    """Check that the streams share one clock, then thread them through the fusion."""
    first = next(iter(streams))
    for name, stream in streams.items():
        # fps is not compared: the times themselves are, when the fusion runs
        for fact in ("steps", "stride"):
            one, other = getattr(streams[first], fact), getattr(stream, fact)
            if one != other:
                text = f"{name!r} has {fact} {other!r}, {first!r} has {one!r}"
                raise StreamError(text, "fused streams share one clock", path="fusion")
    output = stage_output("fusion", fusion.output, streams)
    add_step(steps, "fusion", names, fusion, streams, output)
    return output


def trace_outputs(
    heads: Mapping[str, HeadConfig],
    maps: Mapping[str, ScoreMapConfig],
    stream: FeatureStream | None,
    names: Registry,
    steps: list[TraceStep],
    given: Mapping[str, PredictionStream] | None = None,
) -> dict[str, PredictionStream]:
    """Thread the features through the heads, and the scores (`given` ones too) through the maps."""
    outputs = dict(given or {})
    for name, head in heads.items():
        assert stream is not None  # heads come with branches or members
        outputs[name] = stage_output(f"heads.{name}", head.output, stream)
        add_step(steps, f"heads.{name}", names, head, {"in": stream}, outputs[name])
    for name, config in maps.items():
        source = outputs[config.source]
        outputs[name] = stage_output(f"maps.{name}", config.output, source)
        add_step(steps, f"maps.{name}", names, config, {config.source: source}, outputs[name])
    return outputs
