"""`evaluate_frames`: every frame of every video predicted by a model that never saw its subject.

Each fold's table is on the disk as soon as it is done, so that an interrupted run goes on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from affectkit.artifact import save
from affectkit.configs import ModelConfig
from affectkit.errors import ConfigError, InputError, did_you_mean, listed, unlike_targets
from affectkit.files import config_to_data
from affectkit.model import Model
from affectkit.protocols.frame_predictions import (
    FramePredictions,
    read_frame_predictions,
    write_frame_predictions,
)
from affectkit.protocols.frame_report import score_frames
from affectkit.protocols.splits import Fold, check_disjoint, split_inner, split_subjects
from affectkit.published import from_pretrained
from affectkit.recipes import Recipe, recipe_to_data
from affectkit.registry import Registry, default_registry
from affectkit.seeds import check_seed
from affectkit.tracks.predicting import check_encoders
from affectkit.training.examples import Examples, read_examples, write_examples
from affectkit.training.fitting import fit
from affectkit.training.frame_tables import join_frames, predict_segments
from affectkit.training.labeled_outputs import Unlabeled, labeled_outputs
from affectkit.training.runs import find_artifact, open_run, plain_name, run_jobs
from affectkit.training.splitting import take_official

TABLE = "frames.parquet"


@dataclass(frozen=True, kw_only=True)
class FrameJob:
    """All that a worker needs to train on one half of the segments and to predict the other.

    Attributes:
        config, recipe, seed: what is trained, and how.
        examples: file of all segments.
        fold: which are for what.
        held: which may be used to choose the number of epochs by; without any, an inner split of the training half.
        out: table of the predictions of the test half.
        artifact: saved model or preset to predict with, in place of training; None to train.
        keep: folder that the trained model is saved to; None not to keep it.
    """

    config: ModelConfig
    recipe: Recipe
    seed: int
    examples: Path
    fold: Fold
    held: tuple[int, ...]
    out: Path
    artifact: Path | str | None
    keep: Path | None


def evaluate_frames(
    config: ModelConfig,
    examples: Examples,
    recipe: Recipe | None = None,
    *,
    protocol: Literal["folds", "official"] = "folds",
    folds: int = 5,
    seed: int = 0,
    unlabeled: Unlabeled = "refuse",
    artifacts: str | None = None,
    keep_models: bool = False,
    folder: str | Path | None = None,
    resume: bool = False,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
    registry: Registry | None = None,
) -> FramePredictions:
    """Train once per fold, and predict every frame of the subjects that were left out.

    Arguments:
        config, recipe: what is trained, and how; fixed before this call.
        examples: segments of videos, as `segment_examples` and `gather_pictures` make them; where they overlap,
            predictions are averaged. Or single pictures.
        protocol: `folds`; or `official`, tested once on the half that the dataset's owners say, and trained on theirs.
        folds: parts of about equally many segments, by subject; where persons are unknown, a video is a subject.
        seed: of all that is random in training.
        unlabeled: what becomes of heads without labels, if another has some: `refuse`, an error; `leave`, they are
            neither trained nor scored.
        artifacts: folder of saved models to predict with, in place of training, as `models/{subject}`; `{subject}` is
            the fold's name as `keep_models` writes it, `part-1` and so on. Or one saved model or preset, which nobody
            who is tested has trained.
        keep_models: save every fold's model as `folder/models/part-1` and so on.
        folder: for the table `frames.parquet`, and to go on after an interruption; None to keep nothing.
        resume: go on with what is in `folder`, if it is of the same config, recipe, folds, seed and examples. A fold
            whose model is to be kept and is not there is trained again.
        executor: any `concurrent.futures` executor; its workers need to see `folder`. None for processes of this
            machine, as many as `workers`, or with `workers=1` none beside this one.
        progress: called with how many folds are done, of how many, and the name of the last.
        registry: where components are looked up.

    Returns:
        A row per frame, with what is true of it as far as that is known.

    Raises:
        InputError: the examples are no segments of videos, or have labels per clip, or shares of units in place of 0
            and 1; they have no official split, or somebody in both halves of it; a fold has no artifact, or one with
            other outputs; or `folder` holds another run, or a run and `resume` isn't asked for.
        ConfigError: a head scores clips, or has no labels; or the seed is not from 0 to 2**63 - 1.
    """
    check_seed(seed)
    recipe = Recipe() if recipe is None else recipe
    names = registry if registry is not None else default_registry()
    _check(config, examples, unlabeled, names)
    if keep_models and artifacts is not None:
        raise InputError("keep_models: nothing is trained where artifacts are given; leave one of them out")
    if keep_models and folder is None:
        raise InputError("keep_models: no folder to keep them in; give folder")
    if protocol == "official":
        fold, held = take_official(examples, recipe)
        splits = [fold]
    elif protocol == "folds":
        splits, held = split_subjects(examples.subjects, folds), ()
    else:
        raise InputError(f"protocol: {protocol!r}; give folds or official")
    record = {
        "config": config_to_data(config, registry=names),
        "recipe": recipe_to_data(recipe, registry=names),
        "protocol": "official" if protocol == "official" else f"{folds} folds by subject",
        "seed": seed,
        "examples": examples.digest(),
        "artifacts": artifacts,
    }
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()) if folder is None else folder)
        open_run(place, record, is_kept=folder is not None, resume=resume)
        file = (place / "examples.safetensors").resolve()
        # gone whatever happens: the data may be under an agreement, and a resumed run writes it anew
        stack.callback(file.unlink, missing_ok=True)
        write_examples(examples, file)
        (place / "folds").mkdir(exist_ok=True)
        jobs = {
            fold.name: FrameJob(
                config=config,
                recipe=recipe,
                seed=seed,
                examples=file,
                fold=fold,
                held=held,
                out=place / "folds" / f"{plain_name(fold.name)}.parquet",
                artifact=None if artifacts is None else find_artifact(artifacts, fold.name, seed, names),
                keep=place / "models" / plain_name(fold.name) if keep_models else None,
            )
            for fold in splits
        }
        waiting = {name: job for name, job in jobs.items() if not _is_done(job)}
        done = len(jobs) - len(waiting)
        for name, _ in run_jobs(run_frame_job, waiting, executor, workers):
            done += 1
            if progress is not None:
                progress(done, len(jobs), name)
        joined = join_frames(read_frame_predictions(job.out) for job in jobs.values())
        if folder is not None:
            write_frame_predictions(joined, place / TABLE, overwrite=True)
    return joined


def run_frame_job(job: FrameJob, *, progress: Callable[..., None] | None = None) -> None:
    """Train and predict, and write the table of the fold; `progress` is called with the number of epochs done.

    Raises:
        InputError: a subject is in both halves, or the saved model has other outputs or learned from features of
            another encoder.
    """
    everything = read_examples(job.examples)
    check_disjoint(job.fold, everything.subjects)
    check_disjoint(replace(job.fold, train=job.held), everything.subjects)
    test = everything.take(job.fold.test)
    if job.artifact is not None:
        model = _given(job, job.artifact)
        check_encoders(model, test.encoders, "examples")
    else:
        train = everything.take(job.fold.train)
        held = everything.take(job.held) if job.held else None
        # features of a whole dataset are gigabytes
        del everything
        model = _train(job, train, held, progress)
    found = predict_segments(model, test, outputs=job.config.trace(registry=model.registry).outputs)
    write_frame_predictions(replace(found, fold=np.full(len(found), job.fold.name)), job.out, overwrite=True)


def _given(job: FrameJob, artifact: Path | str) -> Model:
    """The saved model, if it scores what is evaluated; it may score more."""
    model = from_pretrained(artifact)
    theirs = model.traced.outputs
    for name, output in job.config.trace(registry=model.registry).outputs.items():
        if name not in theirs:
            raise InputError(f"{artifact}: scores {listed(theirs)}; give models with {name!r}")
        if theirs[name].targets != output.targets:
            raise InputError(f"{artifact}: {name} {unlike_targets(theirs[name].targets, output.targets)}")
    return model


def _train(job: FrameJob, train: Examples, held: Examples | None, progress: Callable[..., None] | None) -> Model:
    recipe = job.recipe
    if recipe.epoch == "inner":
        recipe = replace(recipe, epochs=_choose_epochs(job, train, held), epoch="last")
    watch = None if progress is None else lambda model, epoch: progress(epoch)
    model = fit(job.config, train, recipe, seed=job.seed, after_epoch=watch)
    if job.keep is not None:
        save(model, job.keep, notes=f"Trained without {job.fold.name}, seed {job.seed}.", overwrite=True)
    return model


def _is_done(job: FrameJob) -> bool:
    return job.out.is_file() and (job.keep is None or job.keep.is_dir())


def _choose_epochs(job: FrameJob, train: Examples, held: Examples | None) -> int:
    """How many epochs are best on what is `held`, or on some subjects, by the sum of the outputs' scores."""
    if held is None:
        everybody = Fold(job.fold.name, tuple(range(len(train))), ())
        inner = split_inner(everybody, train.subjects, seed=job.seed)
        train, held = train.take(inner.train), train.take(inner.test)
    judges = held
    totals: list[float] = []

    def watch(model: Model, epoch: int) -> None:
        found = score_frames(predict_segments(model, judges))
        # maps are fitted later, if at all; what can't be scored on these subjects says nothing
        totals.append(float(np.nansum([found[name] for name in judges.targets])))

    fit(job.config, train, job.recipe, seed=job.seed, after_epoch=watch)
    return totals.index(max(totals)) + 1


def _check(config: ModelConfig, examples: Examples, unlabeled: Unlabeled, registry: Registry) -> None:
    if examples.frames is None:
        raise InputError("examples: no segments of videos; make them by segment_examples")
    outputs = config.trace(registry=registry).outputs
    for name in examples.targets:
        if name not in outputs:
            raise ConfigError(f"no head {name!r}", did_you_mean(name, list(outputs), noun="heads"), path="heads")
        if outputs[name].resolution != "frame":
            raise ConfigError("scores clips", "write resolution='frame'", path=f"heads.{name}")
        values, valid = examples.targets[name]
        if outputs[name].problem == "multilabel" and (soft := values[valid & (values != 0) & (values != 1)]).numel():
            fact = f"{name} has labels such as {soft[0].item():.4g}, of which F1 can't be scored"
            raise InputError(f"examples: {fact}; give 0 or 1")
    for name, one in labeled_outputs(config, registry=registry).items():
        if name not in examples.targets and unlabeled == "refuse":
            remedy = "leave it out, or untrained by unlabeled='leave' (--unlabeled-heads leave)"
            raise ConfigError("has no labels in the examples", remedy, path=one.path)
