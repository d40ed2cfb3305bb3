"""The phases of AMMSM, one function each, and all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from affectkit import ConfigError, Model, PipelineConfig, load, save
from affectkit.dials import turn
from affectkit.files import config_to_data
from affectkit.motion.gains import measure_gains
from affectkit.protocols.splits import Fold, split_inner
from affectkit.protocols.text_tables import write_columns
from affectkit.recipes import Recipe
from affectkit.registry import default_registry
from affectkit.search import search
from affectkit.search.checking import check_workers
from affectkit.search.scoring import find_metric
from affectkit.search.space import Value
from affectkit.seeds import check_seed
from affectkit.training import Examples, fit
from affectkit.training.tails import cut_model, cut_path, cut_recipe
from affectkit_ammsm.folders import open_folder
from affectkit_ammsm.plan import Plan, plan_to_data, resolve_plan

Phase = Literal["joint", "adapt", "search", "tune"]
PHASES: tuple[Phase, ...] = get_args(Phase)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What the phases that were run have left.

    Attributes:
        model: behind the last of them.
        values: of the dials, by path, as the search found them; none before it, or without one.
        score: of these values on the subjects that the search scored by; None before it, or without one.
    """

    model: Model
    values: Mapping[str, Value]
    score: float | None


def train_jointly(
    config: PipelineConfig, examples: Examples, plan: Plan, *, seed: int = 0, cache: bool = False
) -> Model:
    """Phase 1: magnifier, backbone and head together, with the dials of the config."""
    return fit(config, examples, plan.joint, seed=seed, cache=cache)


def adapt(
    config: PipelineConfig, examples: Examples, plan: Plan, *, start: Model, seed: int = 0, cache: bool = False
) -> Model:
    """Phase 2: the same weights learn to work with every value of the dials."""
    recipe = resolve_plan(plan, config).adaptation
    return fit(config, examples, recipe, start=start, seed=seed, cache=cache)


def search_dials(
    model: Model,
    examples: Examples,
    plan: Plan,
    *,
    trained_on: tuple[str, ...],
    folder: Path | None = None,
    workers: int = 1,
    cache: bool = False,
) -> tuple[Mapping[str, Value], float | None]:
    """Phase 3: the best values of the dials, and their score, on subjects that the model has not seen.

    Arguments:
        model: adapted.
        examples: of other subjects than `trained_on`.
        plan: with the space.
        trained_on: subjects that the model has learned from.
        folder: of the candidates; an interrupted search goes on there.
        workers: processes.
        cache: whether maps of front-ends are kept.

    Raises:
        ConfigError: the plan has no search.
    """
    given = resolve_plan(plan, model.config).space
    if given is None:
        raise ConfigError("'none', so there is nothing to search", "write 'all', or a space", path="search")
    # front-ends that don't learn are the same for all candidates, and computed once
    tail, mapped = cut_model(model, examples, turned=given.dials, cache=cache)
    names = {path: path for path in given.dials}
    if tail is not model:
        names = {cut_path(model.config, path, f"search.dials.{path}"): path for path in given.dials}
    space = replace(given, dials={short: given.dials[path] for short, path in names.items()})
    found = search(tail, mapped, space, trained_on=trained_on, folder=folder, workers=workers, resume=True)
    return {names[short]: value for short, value in found.best.values.items()}, found.best.score


def refit(config: PipelineConfig, examples: Examples, plan: Plan, *, seed: int = 0, cache: bool = False) -> Model:
    """Phases 1 and 2 again, behind a search: what scored candidates is now learned from too."""
    joint = train_jointly(config, examples, plan, seed=seed, cache=cache)
    return adapt(config, examples, plan, start=joint, seed=seed, cache=cache)


def tune(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    start: Model,
    values: Mapping[str, Value],
    seed: int = 0,
    cache: bool = False,
) -> Model:
    """Phase 4: the adapted weights go on with the values that were found."""
    return fit(turn(config, values), examples, plan.tuning, start=start, seed=seed, cache=cache)


def run_phases(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    until: Phase = "tune",
    seed: int = 0,
    folder: str | Path | None = None,
    workers: int = 1,
    cache: bool = False,
    progress: Progress = lambda phase: None,
) -> Outcome:
    """All phases after each other, up to one of them.

    With a search, some subjects are set apart: joint training and adaptation see the others only, and the search scores
    by those; behind it, both are run again on all, if the plan says so. Without one, both see all. Fine-tuning
    sees all.

    Arguments:
        config: of the pipeline, its dials as joint training has them.
        examples: all that may be looked at: for an evaluation, a training half.
        plan: the phases.
        until: the last phase to be run.
        seed: of the split and of training; the search has its own in the plan.
        folder: keeps the saved model of every phase, what its magnifier does for every alpha (`<phase>.gains.csv`), and
            the candidates; what is there already is not done again.
        workers: processes of the search.
        cache: whether maps of front-ends that don't learn are kept, in the default folder.
        progress: called with the name of the phase that begins.

    Raises:
        ConfigError: the plan doesn't fit the pipeline or the examples, there is nothing to search `until` a search, or
            the seed is not from 0 to 2**63 - 1.
        InputError: `folder` is a file or can't be made, or holds a run of another config, plan, seed or other examples;
            `workers` is less than 1; or there are too few subjects or labels to search by.
    """
    check_workers(workers)
    check_seed(seed)
    plan = resolve_plan(plan, config)
    if until == "search" and plan.space is None:
        raise ConfigError("'none', so there is nothing to search", "write 'all', or a space", path="search")
    inner = Fold("all", tuple(range(len(examples))), ())
    if plan.space is not None:
        inner = split_inner(inner, examples.subjects, share=plan.share, seed=seed)
        # training takes long, and would not know
        find_metric(plan.space.objectives.score, config, examples.take(inner.test), None, default_registry())
    folder = None if folder is None else Path(folder)
    if folder is not None:
        record = {"config": config_to_data(config), "plan": plan_to_data(plan), "seed": seed}
        open_folder(folder, record | {"examples": examples.digest()})
    learned = examples.take(inner.train)

    def keep(phase: str, make: Callable[[], Model]) -> Model:
        def announced() -> Model:
            progress(phase)
            return make()

        model = _kept(folder, phase, announced)
        if folder is not None:
            _write_gains(model, learned, folder / f"{phase}.gains.csv")
        return model

    model = keep("joint", lambda: train_jointly(config, learned, plan, seed=seed, cache=cache))
    if until == "joint":
        return Outcome(model, {}, None)
    joint = model
    model = keep("adapt", lambda: adapt(config, learned, plan, start=joint, seed=seed, cache=cache))
    values: Mapping[str, Value] = {}
    score = None
    if until != "adapt" and plan.space is not None:
        progress("search")
        trained_on = tuple(sorted(set(learned.subjects)))
        where = None if folder is None else folder / "search"
        values, score = search_dials(
            model, examples.take(inner.test), plan, trained_on=trained_on, folder=where, workers=workers, cache=cache
        )
    if until != "tune":
        return Outcome(model, values, score)
    if plan.refits:
        model = keep("refit", lambda: refit(config, examples, plan, seed=seed, cache=cache))
    adapted = model
    model = keep("tune", lambda: tune(config, examples, plan, start=adapted, values=values, seed=seed, cache=cache))
    return Outcome(model, values, score)


def shorten(plan: Plan, epochs: int) -> Plan:
    """The plan with as many epochs in each phase, to try it."""

    def of(recipe: Recipe) -> Recipe:
        return replace(recipe, epochs=epochs)

    return replace(plan, joint=of(plan.joint), adaptation=of(plan.adaptation), tuning=of(plan.tuning))


def cut_plan(config: PipelineConfig, plan: Plan) -> tuple[Plan, dict[str, str]]:
    """A resolved plan as the tail of a pipeline has it, and the whole pipeline's path by the tail's, of every dial."""
    cut = replace(
        plan,
        joint=cut_recipe(config, plan.joint),
        adaptation=cut_recipe(config, plan.adaptation),
        tuning=cut_recipe(config, plan.tuning),
    )
    if plan.space is None:
        return cut, {}
    paths = {cut_path(config, path, f"search.dials.{path}"): path for path in plan.space.dials}
    dials = {short: plan.space.dials[path] for short, path in paths.items()}
    return replace(cut, search=replace(plan.space, dials=dials)), paths


def _kept(folder: Path | None, name: str, make: Callable[[], Model]) -> Model:
    """The model of a phase, from the folder where it has been before."""
    if folder is None:
        return make()
    path = folder / name
    if not path.is_dir():
        # saved under a temporary name, so what is there is whole
        save(make(), path, notes=f"AMMSM, phase {name}. Not evaluated on other people.")
    return load(path)


def _write_gains(model: Model, examples: Examples, path: Path) -> None:
    """How many times as long motion becomes, for every value of alpha: a line for each, of some clips."""
    rows = examples.take(range(min(len(examples), 64)))
    gains = measure_gains(model, rows.inputs)
    if gains:
        columns = {
            "stage": tuple(gain.stage for gain in gains),
            "alpha": tuple(f"{gain.alpha:g}" for gain in gains),
            "gain": tuple(f"{gain.gain:.4f}" for gain in gains),
        }
        write_columns(columns, path, overwrite=True)
