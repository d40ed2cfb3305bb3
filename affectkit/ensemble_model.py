"""The built form of `EnsembleConfig`: members, what joins them, heads and maps.

State-dict prefixes: `members.cnn...`, `fusion.expression` (score level, one late fusion per output) or `fusion`
(feature level), `heads.*`, `maps.*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from affectkit.configs import ModelConfig
from affectkit.dials import at_path
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError, join
from affectkit.interfaces import NamedModules, Stage
from affectkit.model import (
    Clocks,
    Memo,
    Model,
    add_auxiliary,
    build_stage,
    check_batch,
    check_targets,
    decode_output,
    name_head,
    run_maps,
    score_heads,
)
from affectkit.registry import Registry, default_registry
from affectkit.sequences import Batch, Losses, Scores, Sequence, Targets, masked_mean
from affectkit.streams import PredictionStream, Problem
from affectkit.tracing import Trace

if TYPE_CHECKING:
    from affectkit.streaming import EnsembleStream

# Not smaller: in float32 1 - 1e-8 is 1, and its logit infinite.
_TINY = 1e-7
# Seconds within which two times are the same, as in the fusions of features.
SAME_TIME = 1e-6


class Ensemble(Model):
    """A built `EnsembleConfig`. `members["cnn"]` is a `Pipeline` or `Ensemble`."""

    def __init__(self, config: EnsembleConfig, *, registry: Registry | None = None) -> None:
        super().__init__()
        self.registry = registry if registry is not None else default_registry()
        self._config = config
        self.traced = traced = config.trace(registry=self.registry)
        self.members = NamedModules({name: m.build(registry=self.registry) for name, m in config.members.items()})
        # outputs of maps are not fused, and have no such step
        paths = {name: f"fusion.{name}" for name in traced.outputs if f"fusion.{name}" in {s.path for s in traced}}

        def make(path: str, part: Any, key: str | None = None) -> Any:
            inputs = traced[path].inputs
            return build_stage(part, inputs if key is None else inputs[key], path, self.registry)

        self.fusion: Any = (
            NamedModules({name: make(path, config.fusion) for name, path in paths.items()})
            if config.level == "scores"
            else make("fusion", config.fusion)
        )
        self.heads = NamedModules({name: make(f"heads.{name}", head, "in") for name, head in config.heads.items()})
        self.maps = NamedModules({name: make(f"maps.{name}", part, part.source) for name, part in config.maps.items()})

    @property
    def config(self) -> EnsembleConfig:  # type: ignore[override]
        """What it was built from, with the dials as they are now, also those that were set on a member."""
        members = {name: self.members[name].config for name in self.members}
        # identity is enough, as configs are replaced and never changed
        if any(member is not self._config.members[name] for name, member in members.items()):
            self._config = replace(self._config, members=members)
        return self._config

    def stages(self) -> dict[str, Stage[Any]]:
        found: dict[str, Stage[Any]] = {}
        for name in self.members:
            found |= {join("members", name, path): stage for path, stage in self.members[name].stages().items()}
        if self.config.level == "scores":
            found |= {f"fusion.{name}": self.fusion[name] for name in self.fusion}
        else:
            found["fusion"] = self.fusion
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
        checked = check_batch(batch, self.config.input_streams())
        # What the members compute from one input alike is computed once, nested ensembles included.
        memo = {} if memo is None else memo
        check_targets(targets, self.heads if self.config.level == "features" else self.fusion)
        scores, _ = self.run(checked, targets, losses, memo)
        return scores if targets is None else (scores, losses)

    def features(self, batch: Batch | Sequence | Tensor, *, memo: Memo | None = None) -> Sequence:
        if self.config.level == "scores":
            raise InputError("features: the ensemble joins scores; ask a member, or fuse features")
        checked = check_batch(batch, self.config.input_streams())
        return self.encode(checked, None, {}, {} if memo is None else memo)

    def run(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Scores, Clocks]:
        """Scores of a checked batch, and by output the clock of what was scored; adds losses as `forward`."""
        if self.config.level == "features":
            features = self.encode(batch, targets, losses, memo)
            scores = score_heads(self, features, targets, losses)
            return run_maps(self, scores, dict.fromkeys(scores, (features.mask, features.times)))
        raw: dict[str, Scores] = {}
        clocks: dict[str, Clocks] = {}
        for name, own in self._routed(batch).items():
            inner: Losses = {}
            # Without labels a member's losses are those of its stages alone, such as a magnifier's.
            raw[name], clocks[name] = self.members[name].run(own, None if targets is None else {}, inner, memo)
            losses.update({join("members", name, path): loss for path, loss in inner.items()})
        joined: Scores = {}
        common: Clocks = {}
        for output in self.fusion:
            stream = self.traced.outputs[output]
            joined[output] = self.join(output, {name: raw[name][output] for name in raw})
            common[output] = self.join_clocks(output, {name: clocks[name][output] for name in clocks})
            if targets is not None and output in targets:
                try:
                    loss = joint_loss(joined[output], targets[output], common[output][0], stream)
                except InputError as error:
                    raise name_head(error, output) from None
                losses[f"fusion.{output}"] = loss
        return run_maps(self, joined, common)

    def encode(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> Sequence:
        """What goes into the heads, from a checked batch; adds the stages' own losses if there are `targets`."""
        features: dict[str, Sequence] = {}
        for name, own in self._routed(batch).items():
            inner: Losses = {}
            # with labels, unlike at score level: the members' features feed the heads that the labels are for
            features[name] = self.members[name].encode(own, targets, inner, memo)
            losses.update({join("members", name, path): loss for path, loss in inner.items()})
        fused: Sequence = self.fusion(features)
        add_auxiliary(losses, "fusion", self.fusion, features, fused, targets)
        return fused

    def decode(self, name: str, scores: Tensor) -> Tensor:
        return decode_output(self, name, scores)

    def stream(self, batch: int = 1) -> EnsembleStream:
        from affectkit.streaming import EnsembleStream, check_streamable

        check_streamable(self)
        return EnsembleStream(self, batch)

    def member_batches(self, batch: Batch | Sequence | Tensor) -> dict[str, Batch]:
        """Each member's own batch, by name; checks the batch as `forward` does."""
        return self._routed(check_batch(batch, self.config.input_streams()))

    def _routed(self, batch: Batch) -> dict[str, Batch]:
        routes = self.config.routes()
        return {member: {own: batch[given] for own, given in routes[member].items()} for member in self.members}

    def join(self, output: str, raw: Mapping[str, Tensor]) -> Tensor:
        """Members' raw scores of one output to the joined raw scores."""
        first, *others = raw
        for name in others:
            one, other = tuple(raw[first].shape[:-1]), tuple(raw[name].shape[:-1])
            if one != other:
                fact = f"members {first!r} and {name!r} score {one} and {other} clips and steps"
                raise InputError(f"fusion.{output}: {fact}; give the same clips, on one clock where frames are scored")
        stream = self.traced.outputs[output]
        joined = {name: self._restrict(name, output, scores, stream) for name, scores in raw.items()}
        return to_scores(self.fusion[output](joined), stream.problem)

    def join_clocks(self, output: str, clocks: Mapping[str, tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Mask and times of joined scores: `(B, T)`, real where every member scored something; `(B, 1)` for clips."""
        if self.traced.outputs[output].resolution == "clip":
            clocks = {name: (mask.any(dim=1, keepdim=True), times[:, :1]) for name, (mask, times) in clocks.items()}
        mask = torch.stack([mask for mask, _ in clocks.values()]).all(dim=0)
        (first, (_, times)), *others = clocks.items()
        for name, (_, other) in others:
            # the same tensor is the usual case, and .item() would make the CPU wait for the GPU
            if other is not times and self.traced.outputs[output].resolution == "frame":
                apart = (other - times).abs().masked_fill(~mask, 0.0).max().item()
                # written so that a NaN time counts as different
                if not apart <= SAME_TIME:
                    fact = f"members {first!r} and {name!r} score frames up to {apart:.3g} s apart"
                    raise InputError(f"fusion.{output}: {fact}; bring them to one clock in the loader")
        return mask, times

    def _restrict(self, member: str, output: str, scores: Tensor, stream: PredictionStream) -> Tensor:
        """One member's probabilities or values for the joined targets; rows of a distribution still sum to 1."""
        model = self.members[member]
        values: Tensor = model.decode(output, scores)
        own = model.traced.outputs[output].targets
        if own != stream.targets:
            fill = 0.0 if self.config.fill is None else self.config.fill
            # a last column that every unknown target points to
            padded = torch.cat([values, values.new_full((*values.shape[:-1], 1), fill)], dim=-1)
            index = [own.index(target) if target in own else len(own) for target in stream.targets]
            values = padded[..., index]
            if stream.problem == "multiclass":
                total = values.sum(dim=-1, keepdim=True)
                # A member that is certain of a target of its own says nothing about the common ones.
                # clamped although `where` below discards it: 0 / 0 would still make the gradient NaN
                share = values / total.clamp(min=torch.finfo(values.dtype).tiny)
                values = torch.where(total > 0, share, 1 / len(stream.targets))
        return values

    def _adopt(self, config: ModelConfig, traced: Trace) -> None:
        assert isinstance(config, EnsembleConfig)
        self._config, self.traced = config, traced
        for name, member in config.members.items():
            self.members[name]._adopt(member, member.trace(registry=self.registry))
        for path, stage in self.stages().items():
            if path.startswith("fusion"):
                # one config, a module per output: `fusion.expression` is no path in the config
                stage.config = config.fusion
            elif not path.startswith("members."):
                stage.config = at_path(config, path)


def to_scores(values: Tensor, problem: Problem) -> Tensor:
    """Probabilities to log-probabilities (multiclass) or logits (multilabel); values as they are."""
    if problem == "multiclass":
        return values.clamp(min=_TINY).log()
    if problem == "multilabel":
        return torch.logit(values, eps=_TINY)
    return values


def joint_loss(scores: Tensor, targets: Targets, mask: Tensor, stream: PredictionStream) -> Tensor:
    """Loss of joined scores, for late fusions that learn: cross-entropy, binary cross-entropy, or squared error.

    Raises:
        InputError: labels of another shape than the scores, or a valid class index that is no class.
    """
    classes = stream.problem == "multiclass"
    shape = tuple(scores.shape[:-1] if classes else scores.shape)
    for name, tensor in (("values", targets.values), ("valid", targets.valid)):
        if tuple(tensor.shape) != shape:
            raise InputError(f"targets: shape {tuple(tensor.shape)} of {name}; the joined scores need {shape}")
    real = mask if stream.resolution == "frame" else mask.any(dim=1)
    valid = targets.valid & (real if classes else real.unsqueeze(-1))
    if classes:
        if targets.values.is_floating_point():
            fact = f"targets: dtype {targets.values.dtype}"
            raise InputError(f"{fact}; class indices are whole numbers, give torch.int64")
        wrong = targets.values[valid & ((targets.values < 0) | (targets.values >= scores.shape[-1]))]
        if len(wrong):
            raise InputError(f"targets: class {int(wrong[0])}; write 0 to {scores.shape[-1] - 1}, or mark it not valid")
        # labels that are not valid are often -1, which gather refuses
        index = torch.where(valid, targets.values, 0).unsqueeze(-1)
        return masked_mean(-scores.gather(-1, index).squeeze(-1), valid)
    # a label that is not valid may be NaN, which would reach the gradient although the loss is masked
    wanted = torch.where(valid, targets.values.to(scores.dtype), torch.zeros_like(scores))
    if stream.problem == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    else:
        each = (scores - wanted) ** 2
    return masked_mean(each, valid)
