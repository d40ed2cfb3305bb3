"""What a candidate is worth: the score of the shared weights, with its values, on the inner validation half."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from affectkit.artifact import load
from affectkit.model import Model
from affectkit.search.costs import count_flops, measure_latency
from affectkit.search.genes import find_genes
from affectkit.search.scoring import Metric
from affectkit.search.space import SearchSpace, Value
from affectkit.search.variants import Variants
from affectkit.training.examples import Examples, read_examples


@dataclass(frozen=True)
class Worth:
    """What came of a candidate: a score, or the exception that ended it."""

    score: float | None
    reason: str = ""


@dataclass(frozen=True)
class Cost:
    """What a candidate costs, as far as the space asks for it, or the exception that ended it."""

    latency_ms: float | None = None
    flops: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Task:
    """All that a worker needs beside the values: files, and what is scored."""

    artifact: Path
    examples: Path
    space: SearchSpace
    metric: Metric
    device: str


class Fitness:
    """Scores candidates of one model by one set of examples.

    Arguments:
        model: whose weights they share.
        examples: the inner validation half.
        space: what is searched.
        metric: what is scored.

    Attributes:
        variants: the model with the values of any candidate.
    """

    def __init__(self, model: Model, examples: Examples, space: SearchSpace, metric: Metric) -> None:
        self.variants = Variants(model, find_genes(space, model.config))
        self._examples, self._space, self._metric = examples, space, metric

    def score(self, values: Mapping[str, Value]) -> Worth:
        """The score; a candidate that fails, for whatever reason, is an answer too."""
        try:
            with self.variants.at(values) as model:
                return Worth(self._metric.score(model, self._examples))
        except Exception as error:
            return Worth(None, _told(error))

    def cost(self, values: Mapping[str, Value]) -> Cost:
        """Latency and operations, each where the space asks for it."""
        space = self._space
        try:
            with self.variants.at(values) as model:
                return Cost(
                    measure_latency(model, self._examples, space.timing) if space.needs_latency else None,
                    count_flops(model, self._examples) if space.needs_flops else None,
                )
        except Exception as error:
            return Cost(reason=_told(error))


def score_in_worker(task: Task, values: Mapping[str, Value], *, progress: Callable[..., None] | None = None) -> Worth:
    """Score a candidate in a worker, which reads model and examples once."""
    return _open(task, torch.get_num_threads()).score(values)


@lru_cache(maxsize=1)
def _open(task: Task, threads: int) -> Fitness:
    model = load(task.artifact, device=task.device)
    return Fitness(model, read_examples(task.examples), task.space, task.metric)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
