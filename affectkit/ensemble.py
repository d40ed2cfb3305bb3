"""`EnsembleConfig`: pipelines joined late. To every caller it is a pipeline, and it nests.

Score level (`fusion` is a `LateFusionConfig`): members' scores become probabilities or values, are restricted to the
common targets by name, renormalized and combined. Feature level (`fusion` is a `FusionConfig`): members' features, the
last stage before their heads, are fused and scored by the ensemble's own heads.

An input that several members know under one name is one input if its description is the same everywhere; otherwise
each member's is `member.name`.

How far members agree comes out as one more output per joined one, `<output>_agreement`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from affectkit.configs import Events, FusionConfig, HeadConfig, LateFusionConfig, ModelConfig, ScoreMapConfig
from affectkit.errors import ConfigError, RegistryError, StreamError, join, listed
from affectkit.graphs import OnnxConfig, graphs_of
from affectkit.pipeline import (
    Branch,
    PipelineConfig,
    add_step,
    check_names,
    check_outputs,
    check_sampling,
    trace_fusion,
    trace_outputs,
    trace_spotter,
)
from affectkit.registry import Registry, default_registry
from affectkit.score_streams import (
    AGREEMENT,
    agreement_stream,
    compare_streams,
    join_streams,
    lost_note,
    own_outputs,
    passed_streams,
)
from affectkit.streams import FeatureStream, InputStream, PredictionStream, Stream
from affectkit.tracing import Trace, TraceStep, stage_output
from affectkit.tying import check_tied, check_tied_streams, tied_stages

if TYPE_CHECKING:
    from affectkit.ensemble_model import Ensemble


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig(ModelConfig):
    """Pipelines and ensembles, joined late.

    Attributes:
        members: by name, at least one; exported ones, `OnnxConfig`, where scores are joined.
        fusion: a late fusion of scores, or a fusion of features.
        heads: what is scored from fused features; empty at score level.
        outputs: which of the members' outputs are joined; empty for all, and then all members have the same ones.
        targets: what is joined of an output: the `intersection` of the members' targets, or their `union`.
        fill: probability or value of a target that a member does not know; only, and always, with `union`.
        maps: as in a pipeline, on the joined outputs.
        on_nan: what is done about a member that scores NaN or infinity: `refuse` all with an error that names it, or
            `drop` it from the rows where it does, if the fusion `can_leave_out` members. The others join as if it were
            no member there; a row that no member scores is NaN, and counts as padding. With `drop`, `agreement` comes
            along.
        agreement: whether the outputs `<output>_agreement` come along. Of classes and labels they say `share`, the
            share of the members that decide as the ensemble does; `divergence`, how far their probabilities are from
            the ensemble's on average (Jensen-Shannon divergence, Lin 1991, in bits, 0 to 1); and `members`, how many
            scored the row. Of values they say `spread`, the standard deviation over the members, and `members`. At
            feature level every member has heads for the ensemble's outputs, with all their targets; they are run for
            this alone, without loss and gradient, and not in training, where no member counts. Without it, what members
            put out of their own members is passed on: its mean over those that have it, row by row.
        tied: whether the members are variants of one system that share its weights, and differ only in front-ends that
            come first, such as a mirror. Their common stages are one module each, and are saved once.

    Raises:
        ConfigError: names, level and heads do not go together.
    """

    tag: ClassVar[str] = "ensemble"
    members: Mapping[str, PipelineConfig | EnsembleConfig | OnnxConfig]
    fusion: LateFusionConfig | FusionConfig
    heads: Mapping[str, HeadConfig] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    targets: Literal["intersection", "union"] = "intersection"
    fill: float | None = None
    maps: Mapping[str, ScoreMapConfig] = field(default_factory=dict)
    on_nan: Literal["refuse", "drop"] = "refuse"
    agreement: bool = False
    tied: bool = False

    @property
    def has_agreement(self) -> bool:
        """Whether the agreement of the members is among the outputs."""
        return self.agreement or self.on_nan == "drop"

    @property
    def level(self) -> Literal["scores", "features"]:
        """Where the members are joined."""
        return "scores" if isinstance(self.fusion, LateFusionConfig) else "features"

    def validate(self) -> None:
        if not self.members:
            raise ConfigError("no members", "give at least one", path="members")
        for group in ("members", "heads", "maps"):
            check_names(getattr(self, group), group)
        if self.level == "features" and not self.heads:
            raise ConfigError("no heads", "fused features need one, or fuse scores", path="heads")
        if self.level == "scores" and self.heads:
            raise ConfigError("heads at score level", "drop them, or fuse features", path="heads")
        if self.level == "features" and self.outputs:
            raise ConfigError("outputs at feature level", "drop them: the heads are the outputs", path="outputs")
        if self.targets == "union" and self.fill is None:
            raise ConfigError("union without a fill", "say what a member's unknown target counts as", path="fill")
        if self.targets == "intersection" and self.fill is not None:
            raise ConfigError(f"{self.fill!r} has no effect", "write targets='union', or drop it", path="fill")
        if self.level == "features" and self.targets == "union":
            raise ConfigError("'union' at feature level", "drop it: the heads have the targets", path="targets")
        if self.level == "features" and self.on_nan == "drop":
            raise ConfigError("'drop' at feature level", "write 'refuse': heads need all features", path="on_nan")
        if isinstance(self.fusion, LateFusionConfig) and self.on_nan == "drop" and not self.fusion.can_leave_out:
            fact = f"'drop', and {type(self.fusion).__name__} needs every member"
            raise ConfigError(fact, "write 'refuse', or join by a rule such as the mean", path="on_nan")
        if self.level == "features":
            said = [name + AGREEMENT for name in self.heads] if self.agreement else []
            check_outputs(self.heads, self.maps, said)
        for path in graphs_of(self):
            if self.tied:
                raise ConfigError("is exported, and shares no weights", "write tied=False", path=path)
        if self.tied:
            check_tied(self.members)
        self._check_routes()
        check_sampling(self.sampling, self.input_streams(), branches_of(self))

    def _check_routes(self) -> None:
        """A member's `member.input` may meet an input of that name in a nested ensemble."""
        found: dict[str, InputStream] = {}
        for member, routes in self.routes().items():
            for name, stream in self.members[member].input_streams().items():
                if found.setdefault(routes[name], stream) != stream:
                    fact = f"two different inputs are called {routes[name]!r}"
                    raise ConfigError(fact, f"give member {member!r} another name", path="members")

    def routes(self) -> dict[str, dict[str, str]]:
        """For every member, which of the ensemble's inputs serves each of its own."""
        streams: dict[str, set[InputStream]] = {}
        for member in self.members.values():
            for name, stream in member.input_streams().items():
                streams.setdefault(name, set()).add(stream)
        return {
            member: {name: name if len(streams[name]) == 1 else f"{member}.{name}" for name in config.input_streams()}
            for member, config in self.members.items()
        }

    def input_streams(self) -> Mapping[str, InputStream]:
        routes = self.routes()
        return {
            routes[member][name]: stream
            for member, config in self.members.items()
            for name, stream in config.input_streams().items()
        }

    def trace(self, *, registry: Registry | None = None) -> Trace:
        names = registry if registry is not None else default_registry()
        traces: dict[str, Trace] = {}
        for member, config in self.members.items():
            try:
                traces[member] = config.trace(registry=names)
            except ConfigError as error:
                raise error.at(join("members", member)) from None
            except RegistryError as error:
                # registry errors have no path attribute: theirs is the beginning of the text
                raise type(error)(f"members.{member}.{error}") from None
        if self.tied:
            check_tied_streams(traces, self.members)
        # again, since branches within exported members need a registry to be known
        check_sampling(self.sampling, {}, branches_of(self, within=names))
        notes = self._sharing_notes() | self._tying_notes()
        steps: list[TraceStep] = []
        if isinstance(self.sampling, Events):
            steps.append(trace_spotter(self.sampling, self.input_streams(), names))
        steps += [
            replace(step, path=join("members", member, step.path), note=notes.get((member, step.path), step.note))
            for member, trace in traces.items()
            for step in trace
        ]
        if isinstance(self.fusion, LateFusionConfig):
            outputs = self._trace_scores(self.fusion, traces, names, steps)
            features: FeatureStream | None = None
        else:
            streams = {member: _features(member, trace) for member, trace in traces.items()}
            features = trace_fusion(self.fusion, streams, names, steps)
            outputs = trace_outputs(self.heads, {}, features, names, steps)
        outputs |= self._trace_agreement(outputs, traces, steps)
        # not in `validate`: what there is to map is known only once the members are traced
        check_outputs((), self.maps, outputs)
        outputs = trace_outputs({}, self.maps, None, names, steps, outputs)
        return Trace(steps=tuple(steps), features=features, outputs=outputs)

    def _trace_scores(
        self, fusion: LateFusionConfig, traces: Mapping[str, Trace], names: Registry, steps: list[TraceStep]
    ) -> dict[str, PredictionStream]:
        outputs = {}
        for name in self._joined_names(traces):
            streams = {member: trace.outputs[name] for member, trace in traces.items()}
            joined = join_streams(f"fusion.{name}", streams, self.targets)
            outputs[name] = stage_output("fusion", fusion.output, joined)
            note = lost_note(streams, joined)
            add_step(steps, f"fusion.{name}", names, fusion, joined, outputs[name], note)
            self._check_fill(name, outputs[name])
        return outputs

    def _check_fill(self, name: str, stream: PredictionStream) -> None:
        is_decided = stream.problem in ("multiclass", "multilabel")
        low, high = ((0.0, 1.0) if is_decided else stream.bounds) or (-math.inf, math.inf)
        if self.fill is not None and not low <= self.fill <= high:
            fact = f"{self.fill!r} is no {'probability' if is_decided else 'value'} of {name!r}"
            raise ConfigError(fact, f"write {low:g} to {high:g}", path="fill")

    def _trace_agreement(
        self, outputs: Mapping[str, PredictionStream], traces: Mapping[str, Trace], steps: list[TraceStep]
    ) -> dict[str, PredictionStream]:
        """Steps and outputs of what is said about the members of this ensemble, or else of those that it is made of."""
        found: dict[str, PredictionStream] = {}
        for name, own in outputs.items():
            note = ""
            if not self.has_agreement:
                inputs: Mapping[str, Stream] = passed_streams(name, own, traces)
                note = f"mean of {listed(inputs)}"
            elif self.level == "scores":
                inputs = {step.path: step for step in steps}[f"fusion.{name}"].inputs
            else:
                inputs, note = compare_streams(name, own, traces)
            if not inputs:
                continue
            if name + AGREEMENT in outputs:
                members = f"the members have an output {name + AGREEMENT!r} of their own"
                fact = members if self.level == "scores" else f"the ensemble has a head {name + AGREEMENT!r} of its own"
                raise ConfigError(fact, "call that head or map something else", path="agreement")
            stream = found[name + AGREEMENT] = agreement_stream(own)
            steps.append(TraceStep(path=f"agreement.{name}", component="-", inputs=inputs, output=stream, note=note))
        return found

    def _joined_names(self, traces: Mapping[str, Trace]) -> tuple[str, ...]:
        known = {member: own_outputs(trace) for member, trace in traces.items()}
        first, *rest = known.values()
        common = [name for name in first if all(name in names for names in rest)]
        hint = f"common outputs: {listed(common) or 'none'}"
        for name in self.outputs:
            for member, names in known.items():
                if name not in names:
                    fact = f"member {member!r} has no output {name!r}"
                    raise ConfigError(fact, hint, path="outputs")
        if self.outputs:
            return self.outputs
        if not any(known.values()):
            raise ConfigError("members have no heads", "give them some, or fuse features", path="members")
        if not common:
            facts = "; ".join(f"{member!r} has {listed(names) or 'none'}" for member, names in known.items())
            raise ConfigError("no output that all members have", facts, path="outputs")
        for member, names in known.items():
            for name in names:
                if name not in common:
                    fact = f"only some members have {name!r}, {member!r} among them"
                    raise ConfigError(fact, f"say what to join; {hint}", path="outputs")
        return tuple(common)

    def _sharing_notes(self) -> dict[tuple[str, str], str]:
        """Which branches will be computed once, provided that their weights are equal; by member and path in it."""
        seen: dict[object, list[tuple[str, str]]] = {}
        for path, key in self.frozen_branches():
            # `members.in.members.one.branches.x.features`: who has it is all before the branches
            owner, _, rest = path.removeprefix("members.").partition(".branches.")
            seen.setdefault(key, []).append((owner.replace(".members.", "."), f"branches.{rest}"))
        notes = {}
        for places in seen.values():
            owners = dict.fromkeys(owner for owner, _ in places)
            for owner, path in places if len(places) > 1 else ():
                others = [other for other in owners if other != owner] or [owner]
                member, *inner = owner.split(".")
                inside = join(*(join("members", name) for name in inner), path)
                notes[member, inside] = f"shared with {', '.join(others)} where weights are equal"
        return notes

    def frozen_branches(self) -> Iterator[tuple[str, tuple[str, Branch]]]:
        """Extractors of branches that can't train, nested ones too: path, and what has to be equal to share them."""
        for member, routes in self.routes().items():
            config = self.members[member]
            if isinstance(config, EnsembleConfig):
                found = config.frozen_branches()
            else:
                # of an exported member nothing can be shared
                branches = config.branches if isinstance(config, PipelineConfig) else {}
                found = (
                    (f"branches.{name}.features", (branch.source, replace(branch, source="clip")))
                    for name, branch in branches.items()
                    if branch.features is not None and all(p.is_frozen for p in (*branch.motion, branch.features))
                )
            for path, (source, branch) in found:
                # by the ensemble's name of the input: two members' inputs of one name may differ
                yield join("members", member, path), (routes[source], branch)

    def _tying_notes(self) -> dict[tuple[str, str], str]:
        first, *others = self.members
        return {
            (name, path): f"weights of {first}"
            for name in (others if self.tied else ())
            for _, path in tied_stages(self.members[first], self.members[name])
        }

    def build(self, *, registry: Registry | None = None) -> Ensemble:
        from affectkit.ensemble_model import Ensemble

        return Ensemble(self, registry=registry)


def branches_of(
    config: PipelineConfig | EnsembleConfig | OnnxConfig, path: str = "", *, within: Registry | None = None
) -> dict[str, Branch]:
    """Every branch of every member, by its path; those of exported members where a registry says what they are."""
    if isinstance(config, PipelineConfig):
        return {join(path, "branches", name): branch for name, branch in config.branches.items()}
    if isinstance(config, OnnxConfig):
        return {} if within is None else branches_of(config.pipeline(registry=within), path, within=within)
    found: dict[str, Branch] = {}
    for name, member in config.members.items():
        found |= branches_of(member, join(path, "members", name), within=within)
    return found


def _features(member: str, trace: Trace) -> FeatureStream:
    if trace.features is None:
        fact = f"member {member!r} has no features of its own"
        raise StreamError(fact, "fuse scores, or nest a feature-level ensemble", path="fusion")
    return trace.features
