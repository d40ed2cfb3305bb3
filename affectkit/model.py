"""Built models: `Pipeline`, and the base that it shares with `Ensemble`.

    batch ─▶ branches ─▶ fusion ─▶ temporal ─▶ heads ─▶ scores ─▶ maps ─▶ scores

State-dict prefixes are public: `branches.flow.motion.0`, `branches.flow.features`, `fusion`, `temporal`, `heads.va`,
`maps.compound`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from affectkit.configs import ComponentConfig, ModelConfig
from affectkit.dials import Dial, at_path, find_dials, turn
from affectkit.errors import ConfigError, InputError, SpecError, did_you_mean, join
from affectkit.interfaces import (
    FeatureExtractor,
    Fusion,
    LateFusion,
    MotionFrontEnd,
    NamedModules,
    ScoreMap,
    Stage,
    State,
    TaskHead,
    TemporalEncoder,
    decode,
)
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Batch, Losses, Scores, Sequence, Targets
from affectkit.streams import FeatureStream, FrameStream, InputStream
from affectkit.tracing import Trace

if TYPE_CHECKING:
    from affectkit.streaming import PipelineStream, Stream

INTERFACES: Mapping[str, type[Stage[Any]]] = {
    "motion": MotionFrontEnd,
    "features": FeatureExtractor,
    "fusion": Fusion,
    "temporal": TemporalEncoder,
    "head": TaskHead,
    "late-fusion": LateFusion,
    "map": ScoreMap,
}
Clocks = dict[str, tuple[Tensor, Tensor]]
# What frozen branches gave for an input, and that input: while it is kept, no other has the id by which it is found.
Memo = dict[tuple[Any, ...], tuple[Sequence, Sequence]]
# Of one forward: what front-ends made of an input, by its name and their configs.
Motions = dict[tuple[Any, ...], Sequence]


class BranchModule(nn.Module):
    """One branch: `motion` in order, then `features`, which is None for stored features."""

    def __init__(self, motion: list[Any], features: Any) -> None:
        super().__init__()
        self.motion = nn.ModuleList(motion)
        self.features = features
        self._digest: tuple[Any, str] | None = None

    def digest(self) -> str | None:
        """Hash of configs and weights, by which an ensemble finds what to compute once; None for what can train."""
        parts: list[Stage[Any]] = [*self.motion, *([] if self.features is None else [self.features])]
        # under torch.compile too: it can't trace addresses and bytes of tensors
        if not parts or not all(part.config.is_frozen for part in parts) or torch.compiler.is_compiling():
            return None
        state = self.state_dict()
        # Counters say whether a tensor was written to since, so that hashing is for the first forward only.
        marks = ([part.config for part in parts], [(t.data_ptr(), version(t)) for t in state.values()])
        if self._digest is None or self._digest[0] != marks:
            self._digest = marks, hash_stages(parts, state)
        return self._digest[1]


class Model(nn.Module, ABC):
    """Base of built models.

    Attributes:
        config: what it was built from, with the dials as they are now.
        traced: the trace of `config`.
        provenance: where the weights come from, as a saved model's `pipeline.json` says; empty for random ones, and for
            those that were trained here.
        encoders: by input of stored features, the hash of the encoder that computed those that it was trained on; only
            where it is known.
    """

    config: ModelConfig
    traced: Trace
    provenance: tuple[Mapping[str, str], ...] = ()
    encoders: Mapping[str, str] = MappingProxyType({})
    registry: Registry
    # Whether its weights are tensors of the module, so that it can be saved and recorded.
    has_weights: ClassVar[bool] = True

    @abstractmethod
    def forward(self, batch: Batch | Sequence | Tensor, targets: Mapping[str, Targets] | None = None) -> Any:
        """Score a batch.

        Arguments:
            batch: `Sequence` per input name; where there is one input, a `Sequence` or bare values `(B, T, ...)` do.
            targets: labels per head, where losses are wanted. A head without labels adds no loss, and no gradient; with
                labels of which none is valid it adds zeros, as parallel training needs.

        Returns:
            `{name: raw scores}` of heads and maps; with `targets`, the pair of that and `{path: weighted loss}`, whose
            sum is what to minimize.

        Raises:
            InputError: an input is missing, unknown, or not as its stream says.
        """

    @abstractmethod
    def features(self, batch: Batch | Sequence | Tensor) -> Sequence:
        """What the last stage before the heads puts out, `(B, T, D)`."""

    @abstractmethod
    def decode(self, name: str, scores: Tensor) -> Tensor:
        """Raw scores of one output to probabilities or values, same shape."""

    @abstractmethod
    def stages(self) -> dict[str, Stage[Any]]:
        """Every component by its config path, in the order in which they run."""

    @abstractmethod
    def stream(self, batch: int = 1) -> Stream:
        """A session that scores step by step, for `batch` clips in parallel.

        Raises:
            InputError: a stage can't stream; the message names it.
        """

    def predict(self, batch: Batch | Sequence | Tensor) -> Scores:
        """Decoded scores of every output, in evaluation mode and without gradients."""
        in_training = find_training(self)
        # setting the mode of every module takes longer than a small member needs for a face
        if in_training:
            self.eval()
        try:
            # not inference_mode: its tensors can't be saved for a backward pass, and do not count writes
            with torch.no_grad():
                return {name: self.decode(name, scores) for name, scores in self(batch).items()}
        finally:
            # one by one: a part that was in evaluation mode inside a model in training stays so
            for module in in_training:
                module.training = True

    @property
    def dials(self) -> tuple[Dial, ...]:
        """Every dial: path, value, domain."""
        return tuple(find_dials(self.config))

    def set_dials(self, changes: Mapping[str, Any]) -> None:
        """Set dials by path, all or none; weights stay as they are.

        Raises:
            ConfigError: no such dial, a value outside its domain, or one that would change what a stage puts out.
        """
        config = turn(self.config, changes)
        traced = config.trace(registry=self.registry)
        for old, new in zip(self.traced, traced, strict=True):
            # the stages after it were built for the old stream
            if old.output != new.output:
                raise ConfigError(f"output becomes {new.output}, was {old.output}", "build it anew", path=new.path)
        for path, part in self.named_modules():
            if isinstance(part, Model) and not part.has_weights and at_path(config, path) != part.config:
                raise ConfigError("its dials are fixed, as it is exported", "turn them, then export it", path=path)
        self._adopt(config, traced)

    @contextmanager
    def dialed(self, changes: Mapping[str, Any]) -> Iterator[None]:
        """`set_dials` for the length of a `with` block; after it, every dial is what it was before."""
        # The whole config: a value that it was built with may be outside the dial's domain.
        before = self.config, self.traced
        self.set_dials(changes)
        try:
            yield
        finally:
            self._adopt(*before)

    def _adopt(self, config: ModelConfig, traced: Trace) -> None:
        self.config, self.traced = config, traced
        for path, stage in self.stages().items():
            stage.config = at_path(config, path)


class Pipeline(Model):
    """A built `PipelineConfig`.

    Attributes:
        branches: `branches["flow"].motion[0]`, `.features`.
        fusion, temporal: None where the config has none.
        heads, maps: by name.
    """

    config: PipelineConfig

    def __init__(self, config: PipelineConfig, *, registry: Registry | None = None) -> None:
        super().__init__()
        self.registry = registry if registry is not None else default_registry()
        self.config = config
        self.traced = traced = config.trace(registry=self.registry)

        def make(path: str, part: ComponentConfig) -> Any:
            inputs = traced[path].inputs
            return build_stage(part, inputs if part.kind == "fusion" else only(inputs), path, self.registry)

        branches: dict[str, nn.Module] = {}
        for name, branch in config.branches.items():
            at = f"branches.{name}"
            motion = [make(f"{at}.motion[{i}]", part) for i, part in enumerate(branch.motion)]
            branches[name] = BranchModule(motion, branch.features and make(f"{at}.features", branch.features))
        self.branches = NamedModules(branches)
        self.fusion: Fusion[Any] | None = None if config.fusion is None else make("fusion", config.fusion)
        self.temporal: TemporalEncoder[Any] | None = (
            None if config.temporal is None else make("temporal", config.temporal)
        )
        self.heads = NamedModules({name: make(f"heads.{name}", head) for name, head in config.heads.items()})
        self.maps = NamedModules({name: make(f"maps.{name}", part) for name, part in config.maps.items()})

    def stages(self) -> dict[str, Stage[Any]]:
        found: dict[str, Stage[Any]] = {}
        for name in self.branches:
            branch = self.branches[name]
            found |= {f"branches.{name}.motion[{i}]": part for i, part in enumerate(branch.motion)}
            if branch.features is not None:
                found[f"branches.{name}.features"] = branch.features
        middle = {"fusion": self.fusion, "temporal": self.temporal}
        found |= {path: part for path, part in middle.items() if part is not None}
        found |= {f"heads.{name}": self.heads[name] for name in self.heads}
        return found | {f"maps.{name}": self.maps[name] for name in self.maps}

    def forward(
        self,
        batch: Batch | Sequence | Tensor,
        targets: Mapping[str, Targets] | None = None,
        *,
        memo: Memo | None = None,
    ) -> Any:
        losses: Losses = {}
        check_targets(targets, self.heads)
        scores, _ = self.run(check_batch(batch, self.config.inputs), targets, losses, memo)
        return scores if targets is None else (scores, losses)

    def features(self, batch: Batch | Sequence | Tensor, *, memo: Memo | None = None) -> Sequence:
        encoded = self.encode(check_batch(batch, self.config.inputs), None, {}, memo)
        if encoded is None:
            raise InputError("features: the pipeline has no branches; there is nothing to extract")
        return encoded

    def decode(self, name: str, scores: Tensor) -> Tensor:
        return decode_output(self, name, scores)

    def stream(self, batch: int = 1) -> PipelineStream:
        from affectkit.streaming import PipelineStream, check_streamable

        check_streamable(self)
        return PipelineStream(self, batch)

    def run(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Scores, Clocks]:
        """Scores of a checked batch, and by output the clock of what was scored; adds losses as `forward`."""
        return self._score(self.encode(batch, targets, losses, memo), targets, losses)

    def encode_and_score(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Sequence | None, Scores, Clocks]:
        """What `encode` gives, and of that what `run` does: without gradient and without losses of heads."""
        encoded = self.encode(batch, targets, losses, memo)
        with torch.no_grad():
            return encoded, *self._score(encoded, None, {})

    def _score(
        self, encoded: Sequence | None, targets: Mapping[str, Targets] | None, losses: Losses
    ) -> tuple[Scores, Clocks]:
        if encoded is None:
            return {}, {}
        scores = score_heads(self, encoded, targets, losses)
        return run_maps(self, scores, dict.fromkeys(scores, (encoded.mask, encoded.times)))

    def encode(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> Sequence | None:
        """What goes into the heads, from a checked batch; adds the stages' own losses if there are `targets`."""
        # here, not in check_batch: the members of an ensemble may differ in precision
        check_precision(batch, self)
        outputs: dict[str, Sequence] = {}
        motions: Motions = {}
        for name, branch in self.config.branches.items():
            outputs[name] = self._run_branch(name, batch[branch.source], targets, losses, memo, motions)
        if not outputs:
            return None
        encoded = next(iter(outputs.values()))
        if self.fusion is not None:
            encoded = self.fusion(outputs)
            add_auxiliary(losses, "fusion", self.fusion, outputs, encoded, targets)
        if self.temporal is not None:
            before, encoded = encoded, self.temporal(encoded)
            add_auxiliary(losses, "temporal", self.temporal, before, encoded, targets)
        return encoded

    def _run_branch(
        self,
        name: str,
        sequence: Sequence,
        targets: Mapping[str, Targets] | None,
        losses: Losses,
        memo: Memo | None,
        motions: Motions,
    ) -> Sequence:
        branch = self.branches[name]
        key = None if memo is None else self.shared_key(name, sequence)
        if memo is not None and key is not None and key in memo:
            return memo[key][1]
        given = sequence
        shared: tuple[Any, ...] | None = (self.config.branches[name].source,)
        for i, motion in enumerate(branch.motion):
            # without weights, equal configs compute the same: once for all branches that begin alike
            shared = (*shared, motion.config) if shared is not None and is_fixed(motion) else None
            before, known = sequence, None if shared is None else motions.get(shared)
            sequence = motion(sequence) if known is None else known
            if shared is not None:
                motions[shared] = sequence
            add_auxiliary(losses, f"branches.{name}.motion[{i}]", motion, before, sequence, targets)
        if branch.features is not None:
            before, sequence = sequence, branch.features(sequence)
            add_auxiliary(losses, f"branches.{name}.features", branch.features, before, sequence, targets)
        if memo is not None and key is not None:
            memo[key] = given, sequence
        return sequence

    def shared_key(self, name: str, sequence: Sequence) -> tuple[Any, ...] | None:
        """By what a memo knows what a branch gives for an input; None for a branch that can train."""
        digest = self.branches[name].digest()
        # The tensors themselves: the memo keeps them, so that an id is theirs alone.
        # The stream, because modules are built for it and the digest does not hold it.
        stream = self.config.inputs[self.config.branches[name].source]
        return None if digest is None else (digest, stream, *map(id, sequence[:3]))


def find_training(model: nn.Module) -> list[nn.Module]:
    """The modules of a model that are in training mode; shared ones may come twice."""
    found: list[nn.Module] = []
    # not modules(), which takes five times as long and is called in every forward
    waiting: list[nn.Module | None] = [model]
    while waiting:
        module = waiting.pop()
        if module is not None:
            if module.training:
                found.append(module)
            waiting += module._modules.values()
    return found


def check_has_weights(model: Model, what: str, hint: str, besides: Container[str] = ()) -> None:
    """Raise InputError if the model, or a member of it, runs a graph whose weights lie in a file of their own.

    Arguments:
        model: a built one.
        what: what is to be done with it.
        hint: what to do instead.
        besides: paths of members that may do that.
    """
    for path, part in model.named_modules():
        if isinstance(part, Model) and not part.has_weights and path not in besides:
            fact = f"{path or 'the model'} is an exported pipeline, whose weights lie in its file"
            raise InputError(f"{what}: {fact}; {hint}")


def build_stage(config: ComponentConfig, stream: Any, path: str, registry: Registry) -> Any:
    """Make the module of one component, and check that it is what its kind promises.

    Raises:
        MissingDependencyError: an optional package is not installed.
        SpecError: the factory made something else, or has auxiliary losses without `aux_weight` in the config.
    """
    component = registry.of_config(type(config))
    for requirement in component.spec.requires:
        requirement.check(component.id)
    module = component.spec.factory(config, stream)
    interface = INTERFACES[component.spec.kind]
    if not isinstance(module, interface):
        made = f"{component.id} made {type(module).__name__}"
        raise SpecError(f"{path}: {made}, which is no {interface.__name__}; derive the class from that")
    if type(module).auxiliary is not Stage.auxiliary and not hasattr(config, "aux_weight"):
        name = type(config).__name__
        raise SpecError(f"{path}: {component.id} has auxiliary losses; give {name} a field 'aux_weight'")
    # a dial is turned by replacing `stage.config`; a module that keeps a copy elsewhere would not notice
    if getattr(module, "config", None) is not config:
        raise SpecError(f"{path}: {component.id} does not keep its config; call super().__init__(config)")
    return module


def is_fixed(stage: Stage[Any]) -> bool:
    """Whether nothing but its config decides what a stage computes; False under torch.compile, which can't compare."""
    return bool(stage.config.is_frozen) and not torch.compiler.is_compiling() and not stage.state_dict()


def only(inputs: Mapping[str, Any]) -> Any:
    """The one value of a mapping."""
    (value,) = inputs.values()
    return value


def version(tensor: Tensor) -> int:
    """How often the tensor was written to; 0 where torch does not count."""
    # inference tensors raise when asked
    return 0 if tensor.is_inference() else tensor._version


def hash_stages(stages: list[Stage[Any]], state: Mapping[str, Tensor]) -> str:
    """Hash of the configs of `stages` and of the weights in `state`."""
    digest = hashlib.sha256()
    for stage in stages:
        digest.update(f"{type(stage.config).__module__} {stage.config!r}".encode())
    for name, tensor in state.items():
        # the same bytes mean something else in another shape or dtype
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # as bytes, since numpy has no bfloat16; flattened, since a scalar tensor has no uint8 view
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def score_heads(model: Any, features: Sequence, targets: Mapping[str, Targets] | None, losses: Losses) -> Scores:
    """Run heads on features, and add their losses for which there are targets."""
    scores: Scores = {}
    for name in model.heads:
        head = model.heads[name]
        scores[name] = head(features)
        if targets is not None and name in targets:
            try:
                loss = head.loss(scores[name], targets[name], features.mask)
            except InputError as error:
                raise name_head(error, name) from None
            losses[f"heads.{name}"] = loss * head.config.weight
    return scores


def name_head(error: InputError, name: str) -> InputError:
    """The same error with the head's name in its path: a head does not know its own."""
    text = str(error)
    return InputError(f"targets.{name}{text.removeprefix('targets')}" if text.startswith("targets") else text)


def run_maps(
    model: Any, scores: Scores, clocks: Clocks, states: dict[str, State] | None = None
) -> tuple[Scores, Clocks]:
    """Add what the maps give, in order; one time step with `states`, which change in place, or else whole clips."""
    for name in model.maps:
        part, path = model.maps[name], f"maps.{name}"
        given = as_sequence(scores[part.config.source], *clocks[part.config.source])
        if states is None:
            mapped = part(given)
        else:
            mapped, states[path] = part.step(given, states[path])
        of_clips = model.traced.outputs[name].resolution == "clip"
        scores[name] = mapped.values[:, 0] if of_clips else mapped.values
        clocks[name] = mapped.mask, mapped.times
    return scores, clocks


def as_sequence(scores: Tensor, mask: Tensor, times: Tensor) -> Sequence:
    """Scores as maps take them, `(B, T, K)`: those of clips become one step, real if anything in the clip is."""
    if scores.ndim == 2:
        return Sequence(scores.unsqueeze(1), mask.any(dim=1, keepdim=True), times[:, :1])
    return Sequence(scores, mask, times)


def decode_output(model: Any, name: str, scores: Tensor) -> Tensor:
    """A head decodes its own scores; a map's or an ensemble's are decoded by their problem."""
    outputs = model.traced.outputs
    if name not in outputs:
        raise InputError(f"decode: no output {name!r}; {did_you_mean(name, outputs, noun='outputs')}")
    if name in model.heads:
        return model.heads[name].predict(scores)  # type: ignore[no-any-return]
    return decode(scores, outputs[name].problem)


def add_auxiliary(
    losses: Losses, path: str, stage: Stage[Any], inputs: Any, output: Any, targets: Mapping[str, Targets] | None
) -> None:
    """Add a stage's own losses, weighted, if losses are wanted."""
    # an empty mapping still asks for losses: those of a stage may need no labels
    if targets is not None and type(stage).auxiliary is not Stage.auxiliary:
        for name, loss in stage.auxiliary(inputs, output, targets).items():
            losses[join(path, name)] = loss * stage.config.aux_weight


def check_targets(targets: Mapping[str, Targets] | None, known: Any) -> None:
    """Raise InputError for labels that no head takes, and for what is no labels."""
    if targets is None:
        return
    if not isinstance(targets, Mapping):
        raise InputError(f"targets: {type(targets).__name__}; give a dict of Targets by head, {', '.join(known)}")
    for name, labels in targets.items():
        if name not in known:
            raise InputError(f"targets.{name}: no head {name!r}; {did_you_mean(name, known, noun='heads')}")
        if not isinstance(labels, Targets):
            raise InputError(f"targets.{name}: {type(labels).__name__}; give Targets.of(values, valid)")


def check_precision(batch: Batch, model: nn.Module) -> None:
    """Raise InputError for values of a precision that the model does not have: numpy's float64, most often."""
    for name, sequence in batch.items():
        values = sequence.values
        # autocast converts by itself
        kind = values.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            continue
        first = None
        for parameter in model.parameters():
            # one match is enough: some stages may be kept in another precision
            if parameter.dtype == values.dtype:
                break
            first = first or parameter.dtype
        else:
            if first is not None:
                raise InputError(f"batch.{name}: dtype {values.dtype}; the model is {first}, give values.to({first})")


def check_batch(batch: Batch | Sequence | Tensor, streams: Mapping[str, InputStream]) -> Batch:
    """The batch as a mapping, checked against the input streams.

    Raises:
        InputError: names, ranks, sizes or dtypes are not as the streams say.
    """
    if isinstance(batch, Sequence | Tensor):
        if len(streams) != 1:
            raise InputError(f"batch: one sequence for {len(streams)} inputs; give a dict with {', '.join(streams)}")
        batch = {next(iter(streams)): batch if isinstance(batch, Sequence) else Sequence.of(batch)}
    if not isinstance(batch, Mapping):
        raise InputError(f"batch: {type(batch).__name__}; give a dict with {', '.join(streams)}")
    for name in batch:
        if name not in streams:
            raise InputError(f"batch.{name}: no such input; {did_you_mean(name, streams, noun='inputs')}")
    for name, stream in streams.items():
        if name not in batch:
            raise InputError(f"batch: no {name!r}; inputs: {', '.join(map(repr, streams))}")
        _check_sequence(name, batch[name], stream)
    return batch


def _check_sequence(name: str, sequence: Sequence, stream: FrameStream | FeatureStream) -> None:
    if not isinstance(sequence, Sequence):
        raise InputError(f"batch.{name}: {type(sequence).__name__}; give a Sequence, as Sequence.of(values) makes")
    values = sequence.values
    if isinstance(stream, FrameStream):
        wanted: tuple[int, ...] = (len(stream.channels), stream.height, stream.width)
    else:
        wanted = (stream.dim,)
    steps = len(stream.steps)
    if values.ndim != 2 + len(wanted) or values.shape[2:] != wanted or (steps and values.shape[1] != steps):
        shape = ", ".join(["B", str(steps or "T"), *map(str, wanted)])
        raise InputError(f"batch.{name}: shape {tuple(values.shape)}; the input {name!r} is ({shape})")
    if values.shape[0] < 1 or values.shape[1] < 1:
        raise InputError(f"batch.{name}: shape {tuple(values.shape)} is empty; give one clip and step at the least")
    if not values.is_floating_point():
        raise InputError(f"batch.{name}: dtype {values.dtype}; give floats (images as intensities in [0, 1])")
    clips_steps = tuple(values.shape[:2])
    # bool exactly: `~mask` of an integer 1 is -2, which is true
    if tuple(sequence.mask.shape) != clips_steps or sequence.mask.dtype != torch.bool:
        found = f"mask is {tuple(sequence.mask.shape)} {sequence.mask.dtype}"
        raise InputError(f"batch.{name}: {found}; give {clips_steps} torch.bool, True where a step is real")
    if tuple(sequence.times.shape) != clips_steps or sequence.times.dtype != torch.float64:
        found = f"times are {tuple(sequence.times.shape)} {sequence.times.dtype}"
        raise InputError(f"batch.{name}: {found}; give {clips_steps} torch.float64, in seconds")
