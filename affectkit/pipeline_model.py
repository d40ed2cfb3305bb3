"""The built form of `PipelineConfig`.

    batch ─▶ branches ─▶ fusion ─▶ temporal ─▶ heads ─▶ scores ─▶ maps ─▶ scores

State-dict prefixes are public: `branches.flow.motion.0`, `branches.flow.features`, `fusion`, `temporal`, `heads.va`,
`maps.compound`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from affectkit.batch_checks import check_batch, check_precision, check_targets
from affectkit.configs import ComponentConfig
from affectkit.dials import change
from affectkit.errors import InputError
from affectkit.interfaces import Fusion, NamedModules, Stage, TemporalEncoder
from affectkit.model import Memo, Model, turned_elsewhere
from affectkit.outputs import Clocks, add_auxiliary, decode_output, run_maps, score_heads
from affectkit.pipeline import PipelineConfig
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Batch, Losses, Scores, Sequence, Targets
from affectkit.stage_building import build_stage

if TYPE_CHECKING:
    from affectkit.streaming import PipelineStream

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


class Pipeline(Model):
    """A built `PipelineConfig`.

    Attributes:
        branches: `branches["flow"].motion[0]`, `.features`.
        fusion, temporal: None where the config has none.
        heads, maps: by name.
    """

    _config: PipelineConfig

    def __init__(self, config: PipelineConfig, *, registry: Registry | None = None) -> None:
        super().__init__()
        self.registry = registry if registry is not None else default_registry()
        self._config = config
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

    @property
    def config(self) -> PipelineConfig:
        """What it was built from, with the dials as they are now, also those that were set on what it is tied to."""
        turned = turned_elsewhere(self._config, self.stages()) if self.is_tied else {}
        if turned:
            self._config = change(self._config, turned)
        return self._config

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
        scores, _ = self.run(check_batch(batch, self._config.inputs), targets, losses, memo)
        return scores if targets is None else (scores, losses)

    def features(self, batch: Batch | Sequence | Tensor, *, memo: Memo | None = None) -> Sequence:
        encoded = self.encode(check_batch(batch, self._config.inputs), None, {}, memo)
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
        for name, branch in self._config.branches.items():
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
        shared: tuple[Any, ...] | None = (self._config.branches[name].source,)
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
        stream = self._config.inputs[self._config.branches[name].source]
        return None if digest is None else (digest, stream, *map(id, sequence[:3]))


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
