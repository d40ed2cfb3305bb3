"""The built form of `EnsembleConfig`: members, what joins them, heads and maps.

State-dict prefixes: `members.cnn...`, `fusion.expression` (score level, one late fusion per output) or `fusion`
(feature level), `heads.*`, `maps.*`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from affectkit.batch_checks import check_batch, check_targets
from affectkit.configs import ModelConfig
from affectkit.devices import check_device, device_of
from affectkit.dials import at_path, change
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, InputError, did_you_mean, join
from affectkit.interfaces import NamedModules, Stage, State
from affectkit.looks import find_fronts, run_looks
from affectkit.member_agreement import pass_on, say_agreement
from affectkit.member_outputs import join_output
from affectkit.model import Memo, Model, turned_elsewhere
from affectkit.outputs import Clocks, add_auxiliary, decode_output, name_head, run_maps, score_heads
from affectkit.registry import Registry, default_registry
from affectkit.score_joining import (
    all_finite,
    check_finite,
    joint_loss,
)
from affectkit.score_streams import AGREEMENT
from affectkit.sequences import Batch, Losses, Scores, Sequence, Targets
from affectkit.stage_building import build_stage
from affectkit.tracing import Trace
from affectkit.tying import tied_stages

if TYPE_CHECKING:
    from affectkit.streaming import EnsembleStream

# Seconds within which two times are the same, as in the fusions of features.
SAME_TIME = 1e-6
_WITH_PATH = ("members.", "fusion.", "agreement.")


class Ensemble(Model):
    """A built `EnsembleConfig`. `members["cnn"]` is a `Pipeline` or `Ensemble`.

    Arguments:
        config: what to build.
        registry: where components are looked up.
        members: by name, models that are built already: they become members as they are, weights, their provenance and
            all.

    Attributes:
        asked: whose scores, or whose own members' agreement, that of an output is made of; by output.
        scoring: all of these.
        on_nan, fill, has_agreement: as in the config.

    Raises:
        InputError: a model of `members` has another config than the member of that name.
    """

    _config: EnsembleConfig

    def __init__(
        self, config: EnsembleConfig, *, registry: Registry | None = None, members: Mapping[str, Model] | None = None
    ) -> None:
        super().__init__()
        self.registry = registry if registry is not None else default_registry()
        self._config = config
        # no dial changes these; looked up in every forward, where `config` would ask all members
        self._routes, self._inputs = config.routes(), config.input_streams()
        self.on_nan, self.fill, self.has_agreement = config.on_nan, config.fill, config.has_agreement
        self.traced = traced = config.trace(registry=self.registry)
        given = dict(members or {})
        for name, model in given.items():
            if name not in config.members:
                hint = did_you_mean(name, config.members, noun="members")
                raise InputError(f"members.{name}: no such member; {hint}")
            if model.config != config.members[name]:
                raise InputError(f"members.{name}: the model has another config; put its own into the ensemble's")
        self.members = NamedModules(
            {name: given.get(name) or m.build(registry=self.registry) for name, m in config.members.items()}
        )
        said = {step.path.removeprefix("agreement."): step for step in traced if step.path.startswith("agreement.")}
        self.asked = {output: tuple(step.inputs) for output, step in said.items()}
        self.scoring = {name for names in self.asked.values() for name in names}
        published = [item for name in self.members for item in self.members[name].provenance]
        self.provenance = tuple({item.get("sha256", item["name"]): item for item in published}.values())
        if config.tied:
            self._tie()
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
        self._fronts = find_fronts(self.members) if config.tied and config.level == "scores" else None

    @property
    def config(self) -> EnsembleConfig:
        """What it was built from, with the dials as they are now, also those that were set on a member."""
        parts: dict[str, Any] = {join("members", name): self.members[name] for name in self.members}
        if self.is_tied:
            own = {path: stage for path, stage in self.stages().items() if not path.startswith("members.")}
            # one config, a module per output: `fusion.expression` is no path in the config
            parts |= {"fusion" if path.startswith("fusion") else path: stage for path, stage in own.items()}
        turned = turned_elsewhere(self._config, parts)
        if turned:
            self._config = change(self._config, turned)
        return self._config

    def stages(self) -> dict[str, Stage[Any]]:
        found: dict[str, Stage[Any]] = {}
        for name in self.members:
            found |= {join("members", name, path): stage for path, stage in self.members[name].stages().items()}
        if self._config.level == "scores":
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
        checked = check_batch(batch, self._inputs)
        # What the members compute from one input alike is computed once, nested ensembles included.
        memo = {} if memo is None else memo
        # the joined outputs, without what is said about the members
        check_targets(targets, self.heads if self._config.level == "features" else self.fusion)
        scores, _ = self.run(checked, targets, losses, memo)
        return scores if targets is None else (scores, losses)

    def features(self, batch: Batch | Sequence | Tensor, *, memo: Memo | None = None) -> Sequence:
        if self._config.level == "scores":
            raise InputError("features: the ensemble joins scores; ask a member, or fuse features")
        checked = check_batch(batch, self._inputs)
        return self.encode(checked, None, {}, {} if memo is None else memo)

    def run(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Scores, Clocks]:
        """Scores of a checked batch, and by output the clock of what was scored; adds losses as `forward`."""
        if self._config.level == "features":
            return self.score(*self._encode(batch, targets, losses, memo, self._asking()), targets, losses)
        joined, common = self.join(*self._score_members(batch, targets, losses, memo))
        for output in self.fusion:
            stream = self.traced.outputs[output]
            if targets is not None and output in targets:
                try:
                    loss = joint_loss(joined[output], targets[output], common[output][0], stream)
                except InputError as error:
                    raise name_head(error, output) from None
                losses[f"fusion.{output}"] = loss
        return run_maps(self, joined, common)

    def _score_members(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[dict[str, Scores], dict[str, Clocks]]:
        """Raw scores and clocks by member; adds the losses of their stages if there are `targets`."""
        routed = self._routed(batch)
        if self._fronts is not None and targets is None and not self.training:
            at_once = run_looks(self.members, self._fronts, routed, memo)
            if at_once is not None:
                return at_once
        raw: dict[str, Scores] = {}
        clocks: dict[str, Clocks] = {}
        for name, own in routed.items():
            inner: Losses = {}
            # Without labels a member's losses are those of its stages alone, such as a magnifier's.
            try:
                raw[name], clocks[name] = self.members[name].run(own, None if targets is None else {}, inner, memo)
            except InputError as error:
                raise name_member(error, name) from None
            losses.update({join("members", name, path): loss for path, loss in inner.items()})
        return raw, clocks

    def encode(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> Sequence:
        """What goes into the heads, from a checked batch; adds the stages' own losses if there are `targets`."""
        return self._encode(batch, targets, losses, memo, ())[0]

    def encode_and_score(
        self, batch: Batch, targets: Mapping[str, Targets] | None, losses: Losses, memo: Memo | None
    ) -> tuple[Sequence, Scores, Clocks]:
        """What `encode` gives, and of that what `run` does: without gradient and without losses of heads."""
        features, raw, clocks = self._encode(batch, targets, losses, memo, self._asking())
        with torch.no_grad():
            return features, *self.score(features, raw, clocks, None, {})

    def _encode(
        self,
        batch: Batch,
        targets: Mapping[str, Targets] | None,
        losses: Losses,
        memo: Memo | None,
        scoring: Container[str],
    ) -> tuple[Sequence, dict[str, Scores], dict[str, Clocks]]:
        """What goes into the heads, and raw scores and clocks of the members that are `scoring`."""
        features: dict[str, Sequence] = {}
        raw: dict[str, Scores] = {}
        clocks: dict[str, Clocks] = {}
        for name, own in self._routed(batch).items():
            member, inner = self.members[name], Losses()
            # with labels, unlike at score level: the members' features feed the heads that the labels are for
            try:
                if name in scoring:
                    features[name], raw[name], clocks[name] = member.encode_and_score(own, targets, inner, memo)
                else:
                    features[name] = member.encode(own, targets, inner, memo)
            except InputError as error:
                raise name_member(error, name) from None
            losses.update({join("members", name, path): loss for path, loss in inner.items()})
        features = self.gather(features)
        fused: Sequence = self.fusion(features)
        add_auxiliary(losses, "fusion", self.fusion, features, fused, targets)
        return fused, raw, clocks

    def score(
        self,
        features: Sequence,
        raw: Mapping[str, Scores],
        clocks: Mapping[str, Clocks],
        targets: Mapping[str, Targets] | None,
        losses: Losses,
        states: dict[str, State] | None = None,
    ) -> tuple[Scores, Clocks]:
        """Heads, agreement and maps on fused features; one time step where there are `states`, as for `run_maps`.

        Arguments:
            raw, clocks: of the members that are `scoring`, by output.
        """
        scores = score_heads(self, features, targets, losses)
        clock = features.mask, features.times
        with torch.no_grad():
            scores |= {
                output + AGREEMENT: say_agreement(self, output, scores[output], raw, clocks) for output in self.asked
            }
        return run_maps(self, scores, dict.fromkeys(scores, clock), states)

    def decode(self, name: str, scores: Tensor) -> Tensor:
        return decode_output(self, name, scores)

    def stream(self, batch: int = 1) -> EnsembleStream:
        from affectkit.streaming import EnsembleStream, check_streamable

        check_streamable(self)
        return EnsembleStream(self, batch)

    def place(self, devices: Mapping[str, str | torch.device]) -> Ensemble:
        """Move members to devices, by name; returns the ensemble.

        A batch may be anywhere: what a member needs is copied to where the member is. What members give is joined where
        the ensemble's own stages are, or where the batch is if they have no weights.

        Raises:
            InputError: no such member, or the members are tied.
            ConfigError: no such device.
        """
        if self.config.tied:
            raise InputError("place: the members are tied, so they share their weights; move all with to(device)")
        for name, device in devices.items():
            if name not in self.members:
                raise InputError(f"place: no member {name!r}; {did_you_mean(name, self.members, noun='members')}")
            if isinstance(device, str):
                try:
                    check_device(device)
                except ConfigError as error:
                    raise error.at(join("members", name)) from None
        # all names first, moves after: nothing is half placed
        for name, device in devices.items():
            self.members[name].to(device)
        return self

    def member_batches(self, batch: Batch | Sequence | Tensor) -> dict[str, Batch]:
        """Each member's own batch, by name, where the member is; checks the batch as `forward` does."""
        return self._routed(check_batch(batch, self._inputs))

    def _routed(self, batch: Batch) -> dict[str, Batch]:
        # one copy for all members of a device, so that they can share what they compute from it
        moved: dict[tuple[str, torch.device | None], Sequence] = {}
        routed: dict[str, Batch] = {}
        for member in self.members:
            model = self.members[member]
            # an ensemble moves its inputs itself: its members may be apart too
            device = None if isinstance(model, Ensemble) else device_of(model)
            for given in self._routes[member].values():
                if (given, device) not in moved:
                    moved[given, device] = _moved(batch[given], device)
            routed[member] = {own: moved[given, device] for own, given in self._routes[member].items()}
        return routed

    def gather(self, features: Mapping[str, Sequence]) -> dict[str, Sequence]:
        """Members' features `(B, T, D)` where the fusion is, checked to be finite where they are real."""
        device = self._home(next(iter(features.values())).values)
        moved = {name: _moved(one, device) for name, one in features.items()}
        if not all_finite(one.values for one in moved.values()):
            for name, one in features.items():
                usable = one.values.isfinite().all(dim=-1) | ~one.mask
                check_finite(name, "features are", usable, "mend the member or what it is given")
        return moved

    def join(self, raw: Mapping[str, Scores], clocks: Mapping[str, Clocks]) -> tuple[Scores, Clocks]:
        """Members' raw scores and clocks, by member and output, to those of the ensemble without its maps."""
        scores: Scores = {}
        common: Clocks = {}
        agreement: Scores = {}
        device = self._home(next(iter(next(iter(raw.values())).values())))
        for output in self.fusion:
            said = {name: self._said_by(name, output, raw[name], clocks[name]) for name in raw}
            one = join_output(
                self,
                output,
                {name: values for name, (values, _) in said.items()},
                {name: clock for name, (_, clock) in said.items()},
                device,
            )
            scores[output], common[output] = one.scores, (one.mask, one.times)
            if one.agreement is not None:
                agreement[output + AGREEMENT] = one.agreement
            elif output in self.asked:
                agreement[output + AGREEMENT] = pass_on(self, output, raw, device)
            if output in self.asked:
                common[output + AGREEMENT] = common[output]
        return scores | agreement, common

    def _said_by(self, member: str, output: str, raw: Scores, clocks: Clocks) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """A member's raw scores and clock. A row that a nested ensemble gave up is NaN and real, not padding."""
        model, scores, (mask, times) = self.members[member], raw[output], clocks[output]
        if not isinstance(model, Ensemble) or model.on_nan == "refuse":
            return scores, (mask, times)
        source = output
        while source in model.maps:
            source = model.maps[source].config.source
        lost = raw[source + AGREEMENT if source in model.fusion else source][..., -1] == 0
        rows = lost if model.traced.outputs[output].resolution == "frame" else lost.unsqueeze(-1)
        return scores.masked_fill(lost.unsqueeze(-1), float("nan")), (mask | rows, times)

    def _asking(self) -> Container[str]:
        """Members whose heads are asked: in training none, since asking would draw dropout and move statistics."""
        return () if self.training else self.scoring

    def _home(self, tensor: Tensor) -> torch.device:
        """Where members are joined: at the ensemble's own weights, or else at `tensor`."""
        own: list[nn.Module] = [self.fusion, self.heads, self.maps]
        return device_of(*own) or tensor.device

    def _tie(self) -> None:
        """Let every member have the first one's modules, where the two configs are tied."""
        first, *others = self.config.members
        for name in others:
            for here, there in tied_stages(self.config.members[first], self.config.members[name]):
                source, known = _holder(self.members[first], here)
                holder, key = _holder(self.members[name], there)
                holder._modules[key] = source._modules[known]
        for part in self.members.modules():
            if isinstance(part, Model):
                part.is_tied = True

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


def name_member(error: InputError, member: str) -> InputError:
    """The same error with the member's path in front, where it begins with a path: members do not know their names."""
    return InputError(f"members.{member}.{error}") if str(error).startswith(_WITH_PATH) else error


def _moved(sequence: Sequence, device: torch.device | None) -> Sequence:
    """The same sequence, not a copy, where it is on the device already: sharing goes by identity."""
    return sequence if device is None or sequence.values.device == device else sequence.to(device)


def _holder(model: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module below which the stage at a config path hangs, and its key there."""
    *parts, key = path.replace("[", ".").replace("]", "").split(".")
    for part in parts:
        child = model._modules[part]
        assert child is not None
        model = child
    return model, key
