"""The phases of AMMSM, one function each, and all together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from affectkit import ConfigError, Model, PipelineConfig, load, save
from affectkit.dials import turn
from affectkit.files import write_text
from affectkit.protocols.splits import Fold, split_inner
from affectkit.recipes import Recipe
from affectkit.search import search
from affectkit.search.space import Value
from affectkit.training import Examples, fit
from affectkit.training.tails import cut_model, cut_path
from affectkit_ammsm.plan import Plan

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Adapted:
    """What the first three phases leave.

    Attributes:
        model: with weights that serve all values of the dials.
        values: of the dials, by path, as the search found them; none without a search.
        score: of these values on the subjects that the search scored by; None without a search.
    """

    model: Model
    values: Mapping[str, Value]
    score: float | None


def train_jointly(config: PipelineConfig, examples: Examples, plan: Plan, *, seed: int = 0) -> Model:
    """Phase 1: magnifier, backbone and head together, with the dials of the config."""
    return fit(config, examples, plan.joint, seed=seed, cache=True)


def adapt(config: PipelineConfig, examples: Examples, plan: Plan, *, start: Model, seed: int = 0) -> Model:
    """Phase 2: the same weights learn to work with every value of the dials."""
    return fit(config, examples, plan.adaptation, start=start, seed=seed, cache=True)


def search_dials(
    model: Model,
    examples: Examples,
    plan: Plan,
    *,
    trained_on: tuple[str, ...],
    folder: Path | None = None,
    workers: int = 1,
) -> tuple[Mapping[str, Value], float | None]:
    """Phase 3: the best values of the dials, and their score, on subjects that the model has not seen.

    Arguments:
        model: adapted.
        examples: of other subjects than `trained_on`.
        plan: with the space.
        trained_on: subjects that the model has learned from.
        folder: of the candidates; an interrupted search goes on there.
        workers: processes.
    """
    if plan.search is None:
        raise ConfigError("None, so there is nothing to search", "give a space", path="search")
    # front-ends that don't learn are the same for all candidates, and computed once
    tail, mapped = cut_model(model, examples, cache=True)
    paths = {cut_path(model.config, path, f"search.dials.{path}"): path for path in plan.search.dials}
    space = replace(plan.search, dials={cut: plan.search.dials[path] for cut, path in paths.items()})
    found = search(tail, mapped, space, trained_on=trained_on, folder=folder, workers=workers, resume=True)
    return {paths[cut]: value for cut, value in found.best.values.items()}, found.best.score


def tune(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    start: Model,
    values: Mapping[str, Value],
    seed: int = 0,
) -> Model:
    """Phase 4: the adapted weights go on with the values that were found."""
    return fit(turn(config, values), examples, plan.tuning, start=start, seed=seed, cache=True)


def run_first_phases(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    seed: int = 0,
    folder: Path | None = None,
    workers: int = 1,
    progress: Progress = lambda phase: None,
) -> Adapted:
    """Phases 1 to 3, on some subjects of `examples`, with the search on the others: an inner split of them.

    Without a search, all of `examples` are trained on.

    Arguments:
        config: of the pipeline, its dials as joint training has them.
        examples: a training half; nothing else is looked at.
        plan: the phases.
        seed: of the split, of training; the search has its own in the plan.
        folder: keeps the saved models of both phases and the candidates; what is there already is not done again.
        workers: processes of the search.
        progress: called with the name of the phase that begins.
    """
    rows = tuple(range(len(examples)))
    inner = Fold("all", rows, ())
    if plan.search is not None:
        inner = split_inner(inner, examples.subjects, share=plan.share, seed=seed)
    learned = examples.take(inner.train)

    def joint() -> Model:
        progress("joint training")
        return train_jointly(config, learned, plan, seed=seed)

    first = _kept(folder, "joint", joint)

    def adapted() -> Model:
        progress("adaptation")
        return adapt(config, learned, plan, start=first, seed=seed)

    model = _kept(folder, "adapted", adapted)
    if plan.search is None:
        return Adapted(model, {}, None)
    progress("search")
    values, score = search_dials(
        model,
        examples.take(inner.test),
        plan,
        trained_on=tuple(sorted(set(learned.subjects))),
        folder=None if folder is None else folder / "search",
        workers=workers,
    )
    if folder is not None:
        write_text(folder / "found.json", json.dumps({"values": dict(values), "score": score}, indent=1))
    return Adapted(model, values, score)


def run_phases(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    seed: int = 0,
    folder: Path | None = None,
    workers: int = 1,
    progress: Progress = lambda phase: None,
) -> tuple[Model, Adapted]:
    """All four phases: the model behind the last one, and what the first three left."""
    found = run_first_phases(
        config, examples, plan, seed=seed, folder=folder, workers=workers, progress=progress
    )

    def tuned() -> Model:
        progress("fine-tuning")
        return tune(config, examples, plan, start=found.model, values=found.values, seed=seed)

    return _kept(folder, "tuned", tuned), found


def shorten(plan: Plan, epochs: int) -> Plan:
    """The plan with as many epochs in each phase, to try it."""

    def of(recipe: Recipe) -> Recipe:
        return replace(recipe, epochs=epochs)

    return replace(plan, joint=of(plan.joint), adaptation=of(plan.adaptation), tuning=of(plan.tuning))


def _kept(folder: Path | None, name: str, make: Callable[[], Model]) -> Model:
    """The model of a phase, from the folder where it has been before."""
    if folder is None:
        return make()
    path = folder / name
    if not path.is_dir():
        # saved under a temporary name, so what is there is whole
        save(make(), path, notes=f"AMMSM after {name}. Not evaluated on other people.")
    return load(path)
