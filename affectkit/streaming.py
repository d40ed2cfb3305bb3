"""Streaming: a built model run one time step at a time, each stage with its own state.

`step` on the steps of a clip gives what `forward` gives on the whole clip, where every stage is causal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container
from typing import TYPE_CHECKING, Any

import torch

from affectkit.batch_checks import check_batch, check_precision
from affectkit.ensemble_model import Ensemble, name_member
from affectkit.errors import InputError
from affectkit.interfaces import SequenceStage, State
from affectkit.model import Memo, Model
from affectkit.outputs import Clocks, run_maps, score_heads
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Batch, Scores, Sequence
from affectkit.streams import PredictionStream

if TYPE_CHECKING:
    from torch import Tensor


class Stream(ABC):
    """A session over one set of clips; made by `model.stream(batch)`."""

    @abstractmethod
    def step(self, batch: Batch | Sequence | Tensor) -> Scores:
        """Score one time step: every sequence of the batch has T = 1. Scores are `(B, 1, K)`, without gradients.

        Raises:
            InputError: the batch is not as the input streams say, or has another B or T.
        """


class PipelineStream(Stream):
    """A streaming session of a pipeline."""

    def __init__(self, model: Pipeline, batch: int) -> None:
        self.model, self.batch = model, batch
        # no dial changes these; `config` would ask every stage
        self.inputs = model.config.inputs
        self.sources = {name: branch.source for name, branch in model.config.branches.items()}
        self.states: dict[str, State] = {path: stage.initial_state(batch) for path, stage in model.stages().items()}

    # the states would keep the graph of every step so far, until memory runs out
    @torch.no_grad()
    def step(self, batch: Batch | Sequence | Tensor) -> Scores:
        return self.run(batch)[0]

    def run(self, batch: Batch | Sequence | Tensor, memo: Memo | None = None) -> tuple[Scores, Clocks]:
        """As `step`, and by output the clock of what was scored."""
        return self.features_and_scores(batch, memo)[1:]

    def features_and_scores(
        self, batch: Batch | Sequence | Tensor, memo: Memo | None = None
    ) -> tuple[Sequence, Scores, Clocks]:
        """What `features` gives, and of that what `run` does."""
        features = self.features(batch, memo)
        scores = score_heads(self.model, features, None, {})
        clocks = dict.fromkeys(scores, (features.mask, features.times))
        return features, *run_maps(self.model, scores, clocks, self.states)

    def features(self, batch: Batch | Sequence | Tensor, memo: Memo | None = None) -> Sequence:
        """What the last stage before the heads puts out for this step, `(B, 1, D)`."""
        checked = check_batch(batch, self.inputs)
        for name, sequence in checked.items():
            if tuple(sequence.mask.shape) != (self.batch, 1):
                shape = tuple(sequence.mask.shape)
                raise InputError(f"stream.{name}: (B, T) is {shape}; this session takes {(self.batch, 1)} a step")
        check_precision(checked, self.model)
        outputs = {name: self._branch(name, checked[source], memo) for name, source in self.sources.items()}
        if self.model.fusion is None:
            features = next(iter(outputs.values()))
        else:
            features = self._advance("fusion", self.model.fusion, outputs)
        if self.model.temporal is not None:
            features = self._advance("temporal", self.model.temporal, features)
        return features

    def _branch(self, name: str, sequence: Sequence, memo: Memo | None) -> Sequence:
        branch = self.model.branches[name]
        key = None
        # what remembers may remember something else in another session
        if memo is not None and all(type(part).step is SequenceStage.step for part in branch.motion):
            is_alone = branch.features is not None and type(branch.features).step is SequenceStage.step
            key = self.model.shared_key(name, sequence) if is_alone else None
        if memo is not None and key is not None and key in memo:
            return memo[key][1]
        given = sequence
        for i, motion in enumerate(branch.motion):
            sequence = self._advance(f"branches.{name}.motion[{i}]", motion, sequence)
        if branch.features is not None:
            sequence = self._advance(f"branches.{name}.features", branch.features, sequence)
        if memo is not None and key is not None:
            memo[key] = given, sequence
        return sequence

    def _advance(self, path: str, stage: Any, inputs: Any) -> Sequence:
        output, self.states[path] = stage.step(inputs, self.states[path])
        return output  # type: ignore[no-any-return]


class EnsembleStream(Stream):
    """A streaming session of an ensemble: one session per member."""

    def __init__(self, model: Ensemble, batch: int) -> None:
        self.model = model
        self.members = {name: open_stream(model.members[name], batch) for name in model.members}
        self.level = model.config.level
        # late fusions of scores have no state: each step is joined alone
        self.state = model.fusion.initial_state(batch) if self.level == "features" else None
        self.states: dict[str, State] = {f"maps.{name}": model.maps[name].initial_state(batch) for name in model.maps}

    @torch.no_grad()
    def step(self, batch: Batch | Sequence | Tensor) -> Scores:
        return self.run(batch)[0]

    def run(self, batch: Batch | Sequence | Tensor, memo: Memo | None = None) -> tuple[Scores, Clocks]:
        """As `step`, and by output the clock of what was scored."""
        if self.level == "features":
            return self.features_and_scores(batch, memo)[1:]
        raw: dict[str, Scores] = {}
        clocks: dict[str, Clocks] = {}
        memo = {} if memo is None else memo
        for name, own in self.model.member_batches(batch).items():
            try:
                raw[name], clocks[name] = self.members[name].run(own, memo)
            except InputError as error:
                raise name_member(error, name) from None
        return run_maps(self.model, *self.model.join(raw, clocks), self.states)

    def features(self, batch: Batch | Sequence | Tensor, memo: Memo | None = None) -> Sequence:
        """What the fusion of features puts out for this step, `(B, 1, D)`."""
        return self._features(batch, memo, ())[0]

    def features_and_scores(
        self, batch: Batch | Sequence | Tensor, memo: Memo | None = None
    ) -> tuple[Sequence, Scores, Clocks]:
        """What `features` gives, and of that what `run` does."""
        features, raw, clocks = self._features(batch, memo, self.model.scoring)
        return features, *self.model.score(features, raw, clocks, None, {}, self.states)

    def _features(
        self, batch: Batch | Sequence | Tensor, memo: Memo | None, scoring: Container[str]
    ) -> tuple[Sequence, dict[str, Scores], dict[str, Clocks]]:
        parts: dict[str, Sequence] = {}
        raw: dict[str, Scores] = {}
        clocks: dict[str, Clocks] = {}
        memo = {} if memo is None else memo
        for name, own in self.model.member_batches(batch).items():
            member = self.members[name]
            try:
                if name in scoring:
                    parts[name], raw[name], clocks[name] = member.features_and_scores(own, memo)
                else:
                    parts[name] = member.features(own, memo)
            except InputError as error:
                raise name_member(error, name) from None
        fused, self.state = self.model.fusion.step(self.model.gather(parts), self.state)
        return fused, raw, clocks


def open_stream(model: Model, batch: int) -> PipelineStream | EnsembleStream:
    """A session of a model that was checked, as a part of an ensemble that was."""
    if isinstance(model, Ensemble):
        return EnsembleStream(model, batch)
    assert isinstance(model, Pipeline)
    return PipelineStream(model, batch)


def check_streamable(model: Model) -> None:
    """Raise InputError naming the first stage that can't stream."""
    if not model.traced.outputs:
        raise InputError("stream: the pipeline has no heads; its events come from the spotter")
    for path, part in model.named_modules():
        if isinstance(part, Model) and not part.has_weights:
            raise InputError(f"{path}: is an exported pipeline, which scores whole clips; stream what it was made of")
    for path, stage in model.stages().items():
        if not stage.can_stream:
            component = model.registry.id_of(type(stage.config))
            raise InputError(f"{path}: {component} can't stream; use a causal stage there")
    # what members score reaches the caller only through a fusion, which has a step of its own
    for path, output in ((step.path, step.output) for step in model.traced if not step.path.startswith("members.")):
        if isinstance(output, PredictionStream) and output.resolution == "clip":
            raise InputError(f"{path}: scores a whole clip; give it resolution='frame' to stream")
