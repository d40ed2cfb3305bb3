"""`evaluate`: every clip predicted once by a model that never saw its subject, through any executor.

What is done is on the disk after every fold, so that an interrupted run goes on. Beside a run's predictions lies
`evaluation.json`: config, recipe, protocol and the hash of the examples.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence as Items
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from affectkit.codec import Data
from affectkit.configs import ModelConfig
from affectkit.errors import ConfigError, InputError, did_you_mean
from affectkit.files import config_to_data, write_text
from affectkit.protocols.predictions import Predictions, write_predictions
from affectkit.protocols.splits import Fold
from affectkit.recipes import Recipe, recipe_to_data
from affectkit.registry import Registry, default_registry
from affectkit.seeds import check_seed
from affectkit.streams import PredictionStream
from affectkit.training.examples import Examples, write_examples
from affectkit.training.folds import FoldJob, FoldResult, run_fold
from affectkit.training.labeled_outputs import Unlabeled, labeled_outputs, scored_outputs
from affectkit.training.peers import best_epochs
from affectkit.training.runs import find_artifact, open_run, plain_name, run_jobs
from affectkit.training.splitting import split_examples
from affectkit.training.tails import cut_recipe, cut_tail

Protocol = Literal["loso", "folds", "databases", "official"]
PREDICTIONS, PEERS = "predictions.parquet", "inflated.parquet"


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        predictions: of every clip and seed, with its fold and probabilities.
        classes: in the order of the head.
        inflated: what the peers' rule gives from the same runs, for each test subject its best epoch; None unless
            asked for. No result: it has looked at the labels that it is scored by.
        folder: where all of it lies; None if nothing was kept.
    """

    predictions: Predictions
    classes: tuple[str, ...]
    inflated: Predictions | None
    folder: Path | None


def evaluate(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe | None = None,
    *,
    protocol: Protocol = "loso",
    folds: int = 5,
    seeds: int | Items[int] = 1,
    head: str | None = None,
    peer_rule: bool = False,
    artifacts: str | None = None,
    keep_models: bool = False,
    folder: str | Path | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
    cache: str | Path | bool = False,
    registry: Registry | None = None,
) -> Evaluation:
    """Train once per fold and seed, and predict what was left out.

    Arguments:
        config, recipe: what is trained, and how; fixed before this call.
        examples: all of them.
        protocol: `loso` leaves out one subject at a time, `folds` one of `folds` parts by subject, `databases` one
            database; `official` tests once on the half that the dataset's owners say, and trains on theirs.
        seeds: how many, from 0, or which.
        head: whose classes are scored; None where there is one such head.
        peer_rule: predict the test half after every epoch too, for `inflated`.
        artifacts: folder of saved models to predict with, in place of training, as `models/{subject}`; `{subject}` is
            the fold's name with `-` for `/`, and `{seed}` the seed. Or one saved model or preset, which nobody who is
            tested has trained.
        keep_models: save every fold's model below `folder`.
        folder: for predictions, and to go on after an interruption; None to keep nothing.
        resume: go on with what is in `folder`, if it is of the same config, recipe, protocol and examples.
        executor: any `concurrent.futures` executor; its workers need to see `folder`. None for processes of this
            machine, as many as `workers`, or with `workers=1` none beside this one.
        progress: called with how many folds are done, of how many, and the name of the last.
        cache: folder where maps of motion front-ends are kept and found again; True for the default one.

    Raises:
        InputError: `folder` holds another run, or a run and `resume` isn't asked for; or the examples don't fit: a clip
            has no label that it could be scored by.
        ConfigError: no such head, or none that tells classes apart; or a seed is not from 0 to 2**63 - 1.
    """
    recipe = Recipe() if recipe is None else recipe
    names = registry if registry is not None else default_registry()
    head, output = find_class_head(config, head, names, frames=examples.are_pictures)
    check_truth(examples, head, len(output.targets))
    splits, held = split_examples(protocol, examples, recipe, folds)
    record = _record(config, examples, recipe, protocol, folds, artifacts, names)
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen:
        raise InputError("seeds: none; give at least 1")
    for seed in chosen:
        check_seed(seed, path="seeds")
    if keep_models and folder is None:
        raise InputError("keep_models: no folder to keep them in; give folder")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder)
        open_run(place, record, is_kept=folder is not None, resume=resume)
        file = (place / "examples.safetensors").resolve()
        # Given models are whole, and take what a whole model takes.
        tail, mapped, cut = config, examples, recipe
        if artifacts is None:
            tail, mapped = cut_tail(config, examples, turned=recipe.random_dials, cache=cache, registry=names)
            cut = recipe if tail is config else cut_recipe(config, recipe)
        # gone whatever happens: the data may be under an agreement, and a resumed run writes it anew
        stack.callback(file.unlink, missing_ok=True)
        write_examples(mapped, file)
        jobs = {
            (seed, fold.name): FoldJob(
                config=tail,
                whole=config,
                recipe=cut,
                examples=file,
                head=head,
                fold=fold,
                seed=seed,
                held=held,
                is_peer=peer_rule,
                artifact=None if artifacts is None else find_artifact(artifacts, fold.name, seed, names),
                keep=place / "models" / f"seed-{seed}" / plain_name(fold.name) if keep_models else None,
            )
            for seed in chosen
            for fold in splits
        }
        results = _run(jobs, place / "folds", executor, workers, progress)
        found = {key: (jobs[key].fold, result.probabilities) for key, result in results}
        predictions = tabulate(examples, output.targets, head, found)
        inflated = None
        if peer_rule:
            best = best_epochs(
                {key: r.peer or [] for key, r in results}, jobs, examples.targets[head].values.flatten().tolist()
            )
            picked = {key: (jobs[key].fold, shares) for key, shares in best.items()}
            inflated = tabulate(examples, output.targets, head, picked)
        if folder is not None:
            write_predictions(predictions, place / PREDICTIONS, overwrite=True)
            if inflated is not None:
                write_predictions(inflated, place / PEERS, overwrite=True)
    return Evaluation(predictions, output.targets, inflated, None if folder is None else place)


def fingerprint(config: ModelConfig, recipe: Recipe, *, registry: Registry | None = None) -> str:
    """Twelve digits that say which config and recipe it was."""
    names = registry if registry is not None else default_registry()
    data = [config_to_data(config, registry=names), recipe_to_data(recipe, registry=names)]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:12]


def find_class_head(
    config: ModelConfig, name: str | None, registry: Registry, *, frames: bool = False
) -> tuple[str, PredictionStream]:
    """The head whose classes are scored, and what it gives; `name` may be None where there is one such head.

    With `frames` it may also score frames, as it does where every clip is one picture.

    Raises:
        ConfigError: no such head, or none or several that tell classes of clips apart.
    """
    outputs = config.trace(registry=registry).outputs
    classes = {key: one for key, one in outputs.items() if one.problem == "multiclass"}
    fitting = {key: one for key, one in classes.items() if frames or one.resolution == "clip"}
    if name is None and len(fitting) == 1:
        name = next(iter(fitting))
    if name is None:
        fact = (
            f"{len(fitting)} heads tell classes of clips apart" if fitting else "no head tells classes of clips apart"
        )
        raise ConfigError(fact, "name one with head" if fitting else "evaluate needs one", path="heads")
    if name not in fitting:
        raise ConfigError(f"no head of classes {name!r}", did_you_mean(name, list(fitting), noun="heads"), path="head")
    return name, fitting[name]


def only_class_head(
    config: ModelConfig, examples: Examples, *, unlabeled: Unlabeled = "refuse", registry: Registry | None = None
) -> str | None:
    """The output of a model that tells classes apart, if it is the only one, so that `evaluate` can score all of it.

    With `unlabeled="leave"` heads without labels don't count, and neither does how far members of an ensemble agree.
    """
    outputs = scored_outputs(config, registry=registry)
    heads = labeled_outputs(config, registry=registry)
    if unlabeled == "leave":
        outputs = {name: one for name, one in outputs.items() if name not in heads or name in examples.targets}
    name, *others = outputs or ("",)
    return None if others or name not in outputs or outputs[name].problem != "multiclass" else name


def check_truth(examples: Examples, head: str, classes: int) -> None:
    """Raise InputError unless every example has a class of the head."""
    if head not in examples.targets:
        raise InputError(f"examples: no labels of {head!r}; they have {', '.join(examples.targets)}")
    values, valid = (part.flatten() for part in examples.targets[head])
    wrong = (~valid | (values < 0) | (values >= classes)).nonzero().flatten().tolist()
    if wrong:
        subject, key = examples.subjects[wrong[0]], examples.keys[wrong[0]]
        fact = f"{len(wrong)} of {len(examples)} clips have no class of {head!r}, the first {subject}, {key}"
        raise InputError(f"examples: {fact}; leave them out")


def _record(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe,
    protocol: str,
    folds: int,
    artifacts: str | None,
    names: Registry,
) -> Data:
    record: Data = {
        "config": config_to_data(config, registry=names),
        "recipe": recipe_to_data(recipe, registry=names),
        "protocol": protocol,
        "examples": examples.digest(),
        "artifacts": artifacts,
    }
    return record | ({"folds": folds} if protocol == "folds" else {})


def _run(
    jobs: dict[tuple[int, str], FoldJob],
    place: Path,
    executor: Executor | None,
    workers: int,
    progress: Callable[[int, int, str], None] | None,
) -> list[tuple[tuple[int, str], FoldResult]]:
    place.mkdir(exist_ok=True)
    paths = {key: place / f"seed-{key[0]}-{plain_name(key[1])}.json" for key in jobs}
    done = {key: result for key in jobs if (result := _read(paths[key], jobs[key])) is not None}
    waiting = {key: job for key, job in jobs.items() if key not in done}
    for key, result in run_jobs(run_fold, waiting, executor, workers):
        write_text(paths[key], json.dumps(asdict(result)))
        done[key] = result
        if progress is not None:
            progress(len(done), len(jobs), key[1])
    return [(key, done[key]) for key in jobs]


def _read(path: Path, job: FoldJob) -> FoldResult | None:
    if not path.is_file():
        return None
    result = FoldResult(**json.loads(path.read_text(encoding="utf-8")))
    # Without the epochs that are asked for now, it has to be run again.
    return None if job.is_peer and result.peer is None else result


def tabulate(
    examples: Examples,
    classes: tuple[str, ...],
    head: str,
    found: Mapping[tuple[int, str], tuple[Fold, list[list[float]]]],
) -> Predictions:
    """Predictions with their probabilities, a line per clip of a test half: by seed and fold, in the order of `found`.

    Arguments:
        examples: all of them.
        classes: in the order of the head.
        head: whose labels are the truth.
        found: by seed and name of the fold, the fold and the probabilities of its test half.
    """
    truth = examples.targets[head].values.flatten().tolist()
    columns: dict[str, list[str]] = {name: [] for name in ("dataset", "subject", "clip", "seed", "fold", "truth")}
    columns |= {"predicted": []} | {f"p.{name}": [] for name in classes}
    for (seed, name), (fold, probabilities) in found.items():
        for row, shares in zip(fold.test, probabilities, strict=True):
            dataset = examples.datasets[row]
            subject = examples.subjects[row].removeprefix(f"{dataset}/")
            cells = (dataset, subject, examples.keys[row], str(seed), name, classes[truth[row]])
            best = classes[max(range(len(classes)), key=shares.__getitem__)]
            shown = [f"{share:.6f}" for share in shares]
            for column, cell in zip(columns, (*cells, best, *shown), strict=True):
                columns[column].append(cell)
    return Predictions({name: tuple(cells) for name, cells in columns.items()}, "evaluation")
