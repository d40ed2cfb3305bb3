"""Leave-one-subject-out with the search inside: nobody is tested with dials that were chosen by his own clips.

The subjects are cut into groups. For each group, the first three phases, and the refit behind them, see all other
subjects only; the fourth then runs for each of its subjects, on all but that one. As many groups as subjects is a
search inside each fold.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from affectkit import PipelineConfig
from affectkit.errors import InputError
from affectkit.files import config_to_data, write_text
from affectkit.protocols.predictions import Predictions
from affectkit.protocols.splits import Fold, leave_one_out, split_subjects
from affectkit.registry import default_registry
from affectkit.search.checking import check_workers
from affectkit.search.scoring import find_metric
from affectkit.search.space import Value
from affectkit.training import Examples
from affectkit.training.evaluation import check_truth, find_class_head, tabulate
from affectkit.training.examples import read_examples, write_examples
from affectkit.training.folds import probabilities
from affectkit.training.tails import cut_tail
from affectkit.workers import Workers
from affectkit_ammsm.folders import open_folder
from affectkit_ammsm.phases import cut_plan, refit, run_phases, tune
from affectkit_ammsm.plan import Plan, plan_to_data, resolve_plan


@dataclass(frozen=True, kw_only=True)
class GroupJob:
    """All that a worker needs for one group.

    Attributes:
        config, plan, seed: what is trained, and how.
        examples: file of all of them.
        group: its subjects' clips are `test`.
        head: whose classes are predicted.
    """

    config: PipelineConfig
    plan: Plan
    seed: int
    examples: Path
    group: Fold
    head: str


@dataclass(frozen=True)
class GroupResult:
    """What a group's subjects were predicted, and with which dials.

    Attributes:
        probabilities: by subject, of its clips in their order.
        values: of the dials; empty without a search.
        score: of these on the subjects that the search scored by.
    """

    probabilities: Mapping[str, list[list[float]]]
    values: Mapping[str, Value]
    score: float | None


def evaluate_phases(
    config: PipelineConfig,
    examples: Examples,
    plan: Plan,
    *,
    searches: int = 8,
    seeds: int = 1,
    folder: str | Path | None = None,
    workers: int = 1,
    cache: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Predictions, list[GroupResult]]:
    """Predict every clip once per seed by a model that never saw its subject, with dials found without it.

    Arguments:
        config: of the pipeline.
        examples: all of them.
        plan: the phases.
        searches: groups into which the subjects are cut, 2 to as many as there are.
        seeds: how many, from 0.
        folder: for what is done: the same call goes on with it after an interruption. None to keep nothing.
        workers: processes, each with a group of its own.
        cache: whether maps of front-ends that don't learn are kept, in the default folder.
        progress: called with how many groups are done, of how many, and the name of the last.

    Returns:
        Predictions, in the columns that those of `affectkit.training.evaluate` have, and what each group found, seed
        by seed.

    Raises:
        InputError: `folder` holds a run of another config, plan, number of searches or other examples; or `searches`
            does not fit; a clip has no class; or `seeds` or `workers` is less than 1.
        ConfigError: the plan doesn't fit the pipeline or the examples.
    """
    check_workers(workers)
    if seeds < 1:
        raise InputError(f"seeds: {seeds!r}; give 1 or more")
    plan = resolve_plan(plan, config)
    head, output = find_class_head(config, None, default_registry())
    check_truth(examples, head, len(output.targets))
    if plan.space is not None:
        find_metric(plan.space.objectives.score, config, examples, None, default_registry())
    groups = split_subjects(examples.subjects, searches)
    record = {
        "config": config_to_data(config),
        "plan": plan_to_data(plan),
        "searches": searches,
        "examples": examples.digest(),
    }
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder)
        open_folder(place, record)
        file = (place / "examples.safetensors").resolve()
        stack.callback(file.unlink, missing_ok=True)
        # what doesn't learn is computed once for all groups
        searched = () if plan.space is None else plan.space.dials
        tail, mapped = cut_tail(config, examples, turned=searched, cache=cache)
        names = {path: path for path in searched}
        if tail is not config:
            plan, names = cut_plan(config, plan)
        write_examples(mapped, file)
        common = {"config": tail, "plan": plan, "examples": file, "head": head}
        jobs = {
            (seed, group.name): GroupJob(**common, seed=seed, group=group)  # type: ignore[arg-type]
            for seed in range(seeds)
            for group in groups
        }
        found = _run(jobs, place / "groups", workers, progress)
    folds = {fold.name: fold for fold in leave_one_out(examples.subjects)}
    rows = {
        (seed, subject): (folds[subject], shares)
        for (seed, _), result in found.items()
        for subject, shares in result.probabilities.items()
    }
    told = [
        replace(group, values={names[path]: value for path, value in group.values.items()}) for group in found.values()
    ]
    return tabulate(examples, output.targets, head, rows), told


def run_group(job: GroupJob, *, progress: Callable[..., None] | None = None) -> GroupResult:
    """The phases for one group; training gets copies, from which the group can't be reached."""
    everything = read_examples(job.examples)

    def watch(phase: str) -> None:
        if progress is not None:
            progress(phase)

    train = everything.take(job.group.train)
    first = run_phases(
        job.config,
        train,
        job.plan,
        until="adapt" if job.plan.space is None else "search",
        seed=job.seed,
        progress=watch,
    )
    start = first.model
    if job.plan.refits:
        watch("refit")
        start = refit(job.config, train, job.plan, seed=job.seed)
    found = {}
    for subject in sorted({everything.subjects[row] for row in job.group.test}):
        fold = next(one for one in leave_one_out(everything.subjects) if one.name == subject)
        watch(subject)
        model = tune(job.config, everything.take(fold.train), job.plan, start=start, values=first.values, seed=job.seed)
        found[subject] = probabilities(model, everything.take(fold.test), job.head).tolist()
    return GroupResult(found, dict(first.values), first.score)


def _run(
    jobs: dict[tuple[int, str], GroupJob],
    place: Path,
    workers: int,
    progress: Callable[[int, int, str], None] | None,
) -> dict[tuple[int, str], GroupResult]:
    paths = {key: place / f"seed-{key[0]}-{key[1].replace(' ', '-')}.json" for key in jobs}
    done = {
        key: GroupResult(**json.loads(path.read_text(encoding="utf-8")))
        for key, path in paths.items()
        if path.is_file()
    }
    waiting = {key: job for key, job in jobs.items() if key not in done}

    def take(key: tuple[int, str], result: GroupResult) -> None:
        place.mkdir(exist_ok=True)
        write_text(paths[key], json.dumps(asdict(result)))
        done[key] = result
        if progress is not None:
            progress(len(done), len(jobs), key[1])

    if workers == 1:
        for key, job in waiting.items():
            take(key, run_group(job))
    else:
        with Workers(workers) as pool:
            futures = {pool.submit(run_group, job): key for key, job in waiting.items()}
            for future in as_completed(futures):
                take(futures[future], pool.take(future.result()))
    return {key: done[key] for key in jobs}
