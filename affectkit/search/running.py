"""`search`: dials and fields of a model by evolution, on people that its weights were not trained on."""

from __future__ import annotations

import hashlib
import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from affectkit.artifact import load, save
from affectkit.codec import Data
from affectkit.configs import ModelConfig
from affectkit.errors import InputError
from affectkit.files import config_to_data
from affectkit.folders import make_folder
from affectkit.model import Model
from affectkit.pipeline_model import hash_stages
from affectkit.search.breeding import Breeder
from affectkit.search.candidates import Candidate, find_front, write_candidates
from affectkit.search.checking import TABLE, check_unused, check_workers, database_in
from affectkit.search.crew import Crew
from affectkit.search.fitness import Fitness, Task
from affectkit.search.genes import Gene, find_genes
from affectkit.search.leading import Leader
from affectkit.search.ledger import Ledger
from affectkit.search.optuna_import import quiet_optuna
from affectkit.search.plots import plot_front, plot_history
from affectkit.search.scoring import Metric, find_metric
from affectkit.search.space import SearchSpace, space_to_data
from affectkit.training.examples import Examples, write_examples
from affectkit.workers import Workers

WINNER = "winner"
Watch = Callable[[list[Candidate]], None]


@dataclass(frozen=True)
class SearchResult:
    """What `search` found.

    Attributes:
        candidates: every one, in the order in which they were proposed.
        front: those that no other dominates in score and cost, by falling score; one where there is no cost.
        best: the one with the highest score; of several the cheapest, then the first.
        config: of the model with the values of `best`.
        folder: where all of it lies; None if nothing was kept.
    """

    candidates: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    best: Candidate
    config: ModelConfig
    folder: Path | None


def search(
    model: Model | str | Path,
    examples: Examples,
    space: SearchSpace,
    *,
    trained_on: Iterable[str],
    head: str | None = None,
    folder: str | Path | None = None,
    storage: str | None = None,
    name: str = "search",
    resume: bool = False,
    workers: int = 1,
    device: str = "cpu",
    patience: float = 600.0,
    progress: Watch | None = None,
) -> SearchResult:
    """Search the values with which a model's weights, as they are, do best.

    Arguments:
        model: built, or the folder of a saved one. Nothing of it is trained.
        examples: by which candidates are scored: an inner validation half, see `prepare_inner`. A score that was
            chosen by is no result; that takes people who are in neither half.
        space: what is searched, for what, and how long.
        trained_on: subjects that the weights have seen; empty for weights from elsewhere.
        head: whose classes of clips are scored; None where there is one such head, and for scores of frames.
        folder: for database, table, plots and the winner as a saved model; None to keep nothing.
        storage: database in place of the one in `folder`, as SQLAlchemy has them, such as `postgresql://host/name`.
            With it other machines can help, see `join_search`.
        name: of the search in the database.
        resume: go on with the search that is there, if it is of the same pipeline, weights, examples and space. More
            generations may be asked for.
        workers: processes of this machine; with 1 none beside this one.
        device: of a saved model, and of those in processes.
        patience: seconds after which a candidate that another machine has claimed is evaluated here.
        progress: called with all candidates so far, now and then.

    Raises:
        ConfigError: the space names no dial or field, values that it can't have, or needs other weights; or the model
            has no such score on such examples.
        InputError: a subject is among those trained on; there are too few labels to score by; `folder` is a file or
            can't be made; `storage` can't be opened, or holds another search, or this one and `resume` isn't asked for;
            too few candidates meet the limits or can be scored.
        MissingDependencyError: Optuna is not installed.
    """
    with _opened(model, examples, space, trained_on, head, folder, storage, name, resume, workers, device) as run:
        run.ledger.end(False)
        directions = ["maximize"] if space.objectives.cost == "none" else ["maximize", "minimize"]
        breeder = Breeder(run.genes, space.search, directions)
        crew = Crew(run.ledger, run.fitness, run.pool, run.task, workers, patience)
        found = tuple(Leader(space, breeder, run.fitness, run.ledger, crew, progress).run())
        run.ledger.end(True)
        front = find_front(found, space.objectives)
        best = front[0]
        with run.fitness.variants.at(best.values) as winner:
            config = winner.config
            if folder is not None:
                _keep(Path(folder), winner, found, front, space)
    return SearchResult(found, front, best, config, None if folder is None else Path(folder))


def join_search(
    model: Model | str | Path,
    examples: Examples,
    space: SearchSpace,
    *,
    storage: str,
    trained_on: Iterable[str],
    head: str | None = None,
    name: str = "search",
    workers: int = 1,
    device: str = "cpu",
    progress: Watch | None = None,
) -> int:
    """Help with a search that another machine has begun, until it is through.

    Arguments are those of `search`; all that was given there has to be given here, and is compared.

    Returns:
        How many candidates were evaluated here.

    Raises:
        ConfigError, InputError, MissingDependencyError: as `search`, or there is no such search.
    """
    with _opened(model, examples, space, trained_on, head, None, storage, name, None, workers, device) as run:
        crew = Crew(run.ledger, run.fitness, run.pool, run.task, workers)
        crew.work(lambda everybody: run.ledger.is_ended, progress)
        return crew.evaluated


@dataclass(frozen=True)
class _Run:
    genes: tuple[Gene, ...]
    fitness: Fitness
    ledger: Ledger
    pool: Workers | None
    task: Task | None


@contextmanager
def _opened(
    given: Model | str | Path,
    examples: Examples,
    space: SearchSpace,
    trained_on: Iterable[str],
    head: str | None,
    folder: str | Path | None,
    storage: str | None,
    name: str,
    resume: bool | None,
    workers: int,
    device: str,
) -> Iterator[_Run]:
    """Everything checked and open; closed, and what lay on the disk for the workers alone deleted, whatever happens."""
    check_workers(workers)
    if isinstance(trained_on, str):
        raise InputError(f"trained_on: {trained_on!r} is one text; give a list of subjects")
    both = sorted(set(examples.subjects) & set(trained_on))
    if both:
        raise InputError(
            f"examples: {both[0]!r} is among those that the weights were trained on; split with prepare_inner"
        )
    model = given if isinstance(given, Model) else load(given, device=device)
    metric = find_metric(space.objectives.score, model.config, examples, head, model.registry)
    genes = find_genes(space, model.config)
    fitness = Fitness(model, examples, space, metric)
    with ExitStack() as stack:
        stack.enter_context(quiet_optuna())
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = storage
        if folder is not None:
            place = make_folder(Path(folder), "the search")
            if not resume:
                check_unused(place)
            url = database_in(place) if storage is None else storage
        record = _record(model, examples, space, metric)
        if space.needs_latency and resume is not None:
            # what was timed on one machine can't be compared with what is on another; who helps doesn't time
            record["machine"] = platform.node()
        ledger = Ledger(url, name, record, genes, space.objectives, resume=resume)
        stack.callback(ledger.close)
        pool = task = None
        if workers > 1:
            # gone afterwards: the data may be under an agreement
            write_examples(examples, temporary / "examples.safetensors")
            artifact = save(model, temporary / "model") if isinstance(given, Model) else Path(given).resolve()
            task = Task(artifact, temporary / "examples.safetensors", space, metric, device)
            pool = stack.enter_context(Workers(workers))
        yield _Run(genes, fitness, ledger, pool, task)


def _record(model: Model, examples: Examples, space: SearchSpace, metric: Metric) -> Data:
    """By what one search is told from another; the number of generations may grow."""
    names = model.registry
    pipeline = json.dumps(config_to_data(model.config, registry=names), sort_keys=True)
    record: Data = {
        "pipeline": hashlib.sha256(pipeline.encode()).hexdigest(),
        "weights": hash_stages([], model.state_dict()),
        "examples": examples.digest(),
    }
    if not metric.is_of_frames:
        # a score of frames says by its name, in the space, whose it is
        record["head"] = metric.outputs[0]
    data = cast(Data, space_to_data(space, registry=names))
    search = {key: value for key, value in data.pop("search").items() if key != "generations"}
    record |= {"space": data, "seed": search.pop("seed"), "population or mutation": search}
    # a mapping that is read again does not tell another order, and proposals depend on it
    record |= {"order of dials and fields": [*space.dials, *space.fields]}
    return record


def _keep(
    folder: Path, winner: Model, found: tuple[Candidate, ...], front: tuple[Candidate, ...], space: SearchSpace
) -> None:
    write_candidates(found, folder / TABLE)
    plot_history(found, space.objectives, folder / "history.png")
    if space.objectives.cost != "none":
        plot_front(found, front, space.objectives, folder / "front.png")
    best = front[0]
    notes = (
        f"Values chosen by a search over {len(found)} candidates, {space.objectives.score} {best.score:.3f} on the half"
        " that they were chosen by, which is no result."
    )
    save(winner, folder / WINNER, notes=notes, overwrite=(folder / WINNER).exists())
