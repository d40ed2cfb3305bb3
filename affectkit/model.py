"""The base of built models, `Pipeline` and `Ensemble`: what every one of them can be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from affectkit.configs import ModelConfig
from affectkit.dials import Dial, at_path, find_dials, turn
from affectkit.errors import ConfigError, InputError
from affectkit.interfaces import Stage
from affectkit.registry import Registry
from affectkit.sequences import Batch, Scores, Sequence, Targets
from affectkit.tracing import Trace

if TYPE_CHECKING:
    from affectkit.streaming import Stream

# What frozen branches gave for an input, and that input: while it is kept, no other has the id by which it is found.
Memo = dict[tuple[Any, ...], tuple[Sequence, Sequence]]


class Model(nn.Module, ABC):
    """Base of built models.

    Attributes:
        traced: the trace of `config`; no dial changes it.
        provenance: where the weights come from, as a saved model's `pipeline.json` says; empty for random ones, and for
            those that were trained here.
        encoders: by input of stored features, the hash of the encoder that computed those that it was trained on; only
            where it is known.
    """

    traced: Trace
    provenance: tuple[Mapping[str, str], ...] = ()
    encoders: Mapping[str, str] = MappingProxyType({})
    registry: Registry
    # Whether its weights are tensors of the module, so that it can be saved and recorded.
    has_weights: ClassVar[bool] = True
    # Whether it shares stages with another model, on which their dials may be turned too.
    is_tied: bool = False
    _config: ModelConfig

    @property
    def config(self) -> ModelConfig:
        """What it was built from, with the dials as they are now."""
        return self._config

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
        self._config, self.traced = config, traced
        for path, stage in self.stages().items():
            stage.config = at_path(config, path)


def turned_elsewhere(config: ModelConfig, parts: Mapping[str, Stage[Any] | Model]) -> dict[str, Any]:
    """By path, the configs of stages and members that are not those in `config`: a dial was turned, but not here."""
    found = {path: part.config for path, part in parts.items()}
    # identity is enough, as configs are replaced and never changed
    return {path: one for path, one in found.items() if one is not at_path(config, path)}


def find_training(model: nn.Module) -> list[nn.Module]:
    """The modules of a model that are in training mode; shared ones may come twice."""
    found: list[nn.Module] = []
    # not modules(), which takes five times as long and is called in every forward
    waiting: list[nn.Module | None] = [model]
    seen: set[int] = set()
    while waiting:
        module = waiting.pop()
        if module is not None:
            if module.training:
                found.append(module)
            children = module._modules
            # tied members hold the same ones
            if children and id(module) not in seen:
                seen.add(id(module))
                waiting += children.values()
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
