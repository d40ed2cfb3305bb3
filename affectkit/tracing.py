"""What a trace is: one step per stage with the streams that go in and come out, and what the whole model predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from affectkit.errors import ConfigError
from affectkit.streams import FeatureStream, PredictionStream, Stream

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class TraceStep:
    """One stage. `inputs` are the streams by name, `output` what comes out, `note` what else a reader should know."""

    path: str
    component: str
    inputs: Mapping[str, Stream]
    # None for a spotter: events are no stream
    output: Stream | None
    note: str = ""

    def __str__(self) -> str:
        text = f"{self.path:<34} {self.component:<34} {self.output if self.output is not None else '-'}"
        return f"{text}  ({self.note})" if self.note else text


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All steps in the order in which they run.

    Attributes:
        steps: one per stage.
        features: what the last stage before the heads puts out; None where there is none.
        outputs: what each head and map scores, by name.
    """

    steps: tuple[TraceStep, ...]
    features: FeatureStream | None
    outputs: Mapping[str, PredictionStream]

    def __iter__(self) -> Iterator[TraceStep]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, path: str) -> TraceStep:
        """The step at `path`; KeyError where there is none."""
        return {step.path: step for step in self.steps}[path]

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


def stage_output(path: str, output: Callable[[A], R], stream: A) -> R:
    """Call a config's `output`, and put the stage's path in front of whatever it refuses."""
    try:
        return output(stream)
    except ConfigError as error:
        # the cause would be the same error without its path
        raise error.at(path) from None
