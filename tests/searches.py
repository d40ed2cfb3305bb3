"""A small pipeline with dials, synthetic examples for it, and the plugin that its workers find."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affectkit import FeatureStream, MicroExpressionConfig, PipelineConfig
from affectkit.pipeline import Branch
from affectkit.protocols.splits import Fold, leave_one_out
from affectkit.search import Candidate, Inner, SearchSpace, prepare_inner
from affectkit.search.space import Evolution, Objectives
from affectkit.training import Examples
from tests.fake_distributions import Site
from tests.search_toy import TwistConfig
from tests.test_training import make_examples

CONFIG = PipelineConfig(
    input=FeatureStream(dim=4, steps=("event",)),
    branches={"stored": Branch()},
    temporal=TwistConfig(),
    heads={"micro": MicroExpressionConfig(dropout=0.2)},
)
DIALS: Mapping[str, Any] = {"temporal.kept": "all", "temporal.shift": (0, 1, 2), "temporal.blur": "all"}
SMALL = Evolution(population=4, generations=3)


def make_space(dials: Mapping[str, Any] = DIALS, **tables: Any) -> SearchSpace:
    """Three dials, three generations of four, score alone, unless said otherwise."""
    return SearchSpace(dials=dials, **({"search": SMALL} | tables))


FLOPS = Objectives(cost="flops")


def install(folder: Path) -> None:
    """Make the plugin an installed one, for whoever has `folder` on `sys.path`."""
    Site(folder).add("search-toy", "", module="tests.search_toy")


def first_fold(examples: Examples) -> Fold:
    return leave_one_out(examples.subjects)[0]


def make_inner() -> Inner:
    examples = make_examples(60, subjects=10)
    return prepare_inner(examples, first_fold(examples), share=0.5)


def shown(candidates: tuple[Candidate, ...]) -> list[tuple[Any, ...]]:
    """What has to be equal, trial by trial."""
    return [
        (one.number, one.generation, dict(one.values), one.state, one.score, one.flops, one.reason, one.same_as)
        for one in candidates
    ]
