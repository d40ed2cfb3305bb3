"""A component under test: its spec, an input that it accepts, and modules built from it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from affectkit.configs import ComponentConfig
from affectkit.errors import ConfigError, MissingDependencyError, WeightsError
from affectkit.interfaces import Dataset, FaceDetector, Spotter
from affectkit.registry import Registry
from affectkit.sequences import Sequence
from affectkit.specs import ComponentSpec
from affectkit.stage_building import build_stage
from affectkit.testing.candidates import STREAM_CLASSES, candidates
from affectkit.testing.examples import full_mask, make_inputs, steps_of
from affectkit.testing.results import CheckFailed, CheckSkipped

# Components that are no `nn.Module`; the core builds the others.
PLAIN: dict[str, type[Any]] = {"faces": FaceDetector, "spotter": Spotter, "dataset": Dataset}


class Subject:
    """One component under test.

    Attributes:
        spec: what its plugin advertises.
        registry: where the components that its config names are looked up.
        failed: the name of the first check that it failed; empty so far.
    """

    def __init__(self, spec: ComponentSpec[Any], registry: Registry, stream: Any = None) -> None:
        self.spec, self.registry, self._given = spec, registry, stream
        self.failed = ""

    @property
    def name(self) -> str:
        """The component's name."""
        return self.spec.name

    @cached_property
    def config(self) -> Any:
        """The spec's example, or every default."""
        return self.spec.example_config()

    @property
    def takes_stream(self) -> bool:
        """Whether the component is built for a stream; face detectors and datasets are not."""
        return self.spec.kind in STREAM_CLASSES

    @cached_property
    def stream(self) -> Any:
        """The stream that was passed for it, or the first candidate that it accepts; None for kinds without.

        Raises:
            CheckFailed: it accepts none.
        """
        if not self.takes_stream:
            return None
        if self._given is not None:
            if refusal := self.refusal(self._given):
                raise CheckFailed(f"streams[{self.name!r}] is not accepted ({refusal})", "a stream that does not fit")
            return self._given
        refusals = []
        for stream in candidates(self.spec.kind):
            if not (refusal := self.refusal(stream)):
                return stream
            refusals.append(refusal)
        raise CheckFailed(
            f"none of the {len(refusals)} streams that the kit knows is accepted (first answer: {refusals[0]})",
            "an unusual input; pass one that fits to the kit, "
            f"streams={{{self.name!r}: {STREAM_CLASSES[self.spec.kind]}}}",
        )

    @cached_property
    def streams(self) -> list[Any]:
        """Every candidate that it accepts, or the one that was passed for it."""
        if self._given is not None:
            return [self.stream]
        return [stream for stream in candidates(self.spec.kind) if not self.refusal(stream)]

    @property
    def output(self) -> Any:
        """What the config says comes out for `stream`; None for a spotter."""
        return self.output_of(self.config, self.stream)

    def output_of(self, config: Any, stream: Any) -> Any:
        """What `config` says comes out for `stream`."""
        return config.check_input(stream) if self.spec.kind == "spotter" else config.output(stream)

    def refusal(self, stream: Any) -> str:
        """Why the config does not accept `stream`; empty where it does."""
        try:
            self.output_of(self.config, copy.copy(stream))
        except ConfigError as error:
            return str(error)
        return ""

    @property
    def has_fixed_steps(self) -> bool:
        """Whether T is fixed by the steps of the stream."""
        first = next(iter(self.stream.values())) if isinstance(self.stream, Mapping) else self.stream
        return bool(getattr(first, "steps", ()))

    @property
    def steps(self) -> int:
        """T of the examples."""
        return steps_of(self.stream)

    def build(self, *, seed: int = 0, config: ComponentConfig | None = None, stream: Any = None) -> Any:
        """A new module, with weights by `seed`, in evaluation mode.

        Raises:
            CheckSkipped: a package or weights that it needs are not on this machine.
        """
        config = self.config if config is None else config
        stream = self.stream if stream is None else stream
        try:
            with seeded(seed):
                if self.spec.kind in PLAIN:
                    return self._build_plain(config, stream)
                module: nn.Module = build_stage(config, stream, self.name, self.registry)
        except (MissingDependencyError, WeightsError) as error:
            raise CheckSkipped(f"can't be built here: {error}") from error
        return module.eval()

    @cached_property
    def module(self) -> Any:
        """A built module that checks share, in evaluation mode; they leave it as it is."""
        return self.build()

    def learner(self) -> Any:
        """A copy of `module` in training mode, for checks that train it. Copying is faster than building."""
        return copy.deepcopy(self.module).train()

    def inputs(self, batch: int = 3, steps: int | None = None, *, mask: Tensor | None = None, seed: int = 0) -> Any:
        """Tiny input; every step is real, unless `mask` says otherwise."""
        mask = full_mask(batch, self.steps if steps is None else steps) if mask is None else mask
        return make_inputs(self.stream, mask, seed)

    def _build_plain(self, config: ComponentConfig, stream: Any) -> Any:
        for requirement in self.spec.requires:
            requirement.check(self.name)
        made: Any = self.spec.factory(config, stream) if self.spec.kind == "spotter" else self.spec.factory(config)
        interface = PLAIN[self.spec.kind]
        if not isinstance(made, interface):
            raise CheckFailed(f"the factory made {type(made).__name__}, which is no {interface.__name__}")
        if made.config is not config:
            raise CheckFailed("it does not keep its config", "super().__init__(config) is not called")
        return made


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers by `seed` within the block, and as they were after it.

    On the CPU alone: `torch.manual_seed` queues a call for every other kind of device, which costs more than a check.
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread within the block: for tensors this small, sharing the work costs more than doing it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(module: Any, inputs: Any) -> Any:
    """The output, without gradients."""
    with torch.no_grad():
        return module(inputs)


def trainable_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that training changes, by name."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


def values_of(output: Any) -> Tensor:
    """The values of a sequence, or the scores as they are."""
    values: Tensor = output.values if isinstance(output, Sequence) else output
    return values


def apart(one: Tensor, two: Tensor) -> float:
    """Largest absolute difference beyond rounding; 0 where there is none, infinite where a NaN meets a number.

    Rounding is 1e-5 and one ten-thousandth of the largest value: batches of other sizes are summed in another order.
    """
    one, two = one.detach().double(), two.detach().double()
    if one.shape != two.shape or not torch.equal(one.isnan(), two.isnan()):
        return float("inf")
    gap = (one - two).nan_to_num(0.0).abs()
    largest = gap.max().item() if gap.numel() else 0.0
    scale = two.nan_to_num(0.0).abs().max().item() if two.numel() else 0.0
    return largest if largest > 1e-5 + 1e-4 * scale else 0.0
