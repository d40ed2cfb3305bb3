"""The system's training, step by step, with each result on the disk: what is done is not done again.

faces ─▶ encoders, one by one ─▶ their features ─▶ fusion, Transformer, heads ─▶ cuts on choice people ─▶ one model
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from affectkit import Branch, FeatureStream, Model, PipelineConfig, join_encoders, load, save
from affectkit.errors import InputError
from affectkit.pipeline_model import Pipeline
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, fit
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.workers import Workers
from affectkit_abaw7.choosing import OPEN, choose_maps, chosen_smoothing
from affectkit_abaw7.plan import Plan
from affectkit_abaw7.scores import describe_scores
from affectkit_abaw7.system import ENCODERS, HEADS, make_abaw7, make_branch, make_heads, make_system

Say = Callable[[str], None]
# Videos whose features are computed at once.
_AT_ONCE = 8
MIRRORED = "-mirrored"


@dataclass(frozen=True, kw_only=True)
class EncoderJob:
    """All that a worker needs to train one encoder.

    Attributes:
        name: of the encoder.
        plan: how.
        train: file of examples.
        folder: for its checkpoints.
    """

    name: str
    plan: Plan
    train: Path
    folder: Path


def train_system(
    train: Examples,
    choice: Examples,
    plan: Plan,
    *,
    folder: Path,
    workers: int = 1,
    say: Say = lambda line: None,
) -> Model:
    """The whole system, from faces with partial labels; a run that was stopped goes on.

    Arguments:
        train: frames `(N, T, 1, 64, 64)` of whole videos, with labels `va`, `expr` and `au` per frame.
        choice: other people, by whom thresholds are chosen and each step's scores are shown.
        plan: recipes of the steps.
        folder: for what is done.
        workers: processes, each with an encoder of its own.
        say: called with a line about each step.

    Raises:
        InputError: somebody is in both sets.
    """
    if both := sorted(set(train.subjects) & set(choice.subjects)):
        raise InputError(f"choice: {both[0]!r} is in the training set too; choose by other people")
    folder.mkdir(parents=True, exist_ok=True)
    encoders = train_encoders(train, plan, folder=folder, workers=workers, say=say)
    for name, model in encoders.items():
        say(f"{name} alone, frame by frame, on choice people: {describe_scores(model, choice)}")
    learned = _kept_features(encoders, train, folder / "train.safetensors", mirrored=plan.mirrored, say=say)
    chosen = _kept_features(encoders, choice, folder / "choice.safetensors", mirrored=False, say=say)
    say("fusion: on stored features")
    tail = train_tail(learned, plan)
    say(f"before anything is chosen, on choice people: {describe_scores(tail, chosen)}")
    for path, value in choose_maps(tail, chosen, used_elsewhere=train.subjects).items():
        say(f"{path} = {value!r}")
    say(f"system on choice people, who chose: {describe_scores(tail, chosen)}")
    return join_system(encoders, tail)


def train_encoders(
    train: Examples, plan: Plan, *, folder: Path, workers: int = 1, say: Say = lambda line: None
) -> dict[str, Model]:
    """Each encoder by its own tasks' labels, frame by frame, with heads that are left behind later."""
    paths = {name: folder / "encoders" / name for name in ENCODERS}
    waiting = [name for name, path in paths.items() if not path.is_dir()]
    file = folder / "faces.safetensors"
    if waiting:
        write_examples(thin(train, plan.every), file)
    jobs = [EncoderJob(name=name, plan=plan, train=file.resolve(), folder=folder.resolve()) for name in waiting]
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            say(f"encoder {job.name}: {len(train)} videos, {plan.recipe(job.name).epochs} epochs")
            train_encoder(job)
    else:
        each = ", ".join(f"{name}: {plan.recipe(name).epochs}" for name in waiting)
        say(f"encoders, {len(train)} videos; epochs of {each}")
        with Workers(min(workers, len(jobs))) as pool:
            for future in [pool.submit(train_encoder, job) for job in jobs]:
                say(f"encoder {pool.take(future.result())}: done")
    file.unlink(missing_ok=True)
    return {name: load(path) for name, path in paths.items()}


def train_encoder(job: EncoderJob, *, progress: Callable[..., None] | None = None) -> str:
    """Train and save one encoder; returns its name."""
    examples = read_examples(job.train)
    tasks = ENCODERS[job.name]
    config = PipelineConfig(
        inputs=make_abaw7().inputs,
        branches={job.name: make_branch(job.name)},
        heads=make_heads(tasks),
    )
    if progress is not None:
        progress(job.name)
    model = fit(
        config,
        replace(examples, targets={task: examples.targets[task] for task in tasks}),
        job.plan.recipe(job.name),
        seed=job.plan.seed,
        folder=job.folder / f"{job.name}-run",
        resume=True,
        after_epoch=None if progress is None else lambda _, epoch: progress(job.name, epoch),
    )
    save(model, job.folder / "encoders" / job.name, notes="Trained on synthetic faces, frame by frame.")
    return job.name


def extract_features(encoders: dict[str, Model], examples: Examples) -> Examples:
    """The same examples with features `(N, T, D)` of every encoder in place of frames."""
    inputs = {}
    (frames,) = examples.inputs
    for name, model in encoders.items():
        parts: list[Tensor] = []
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(examples)), _AT_ONCE):
                parts.append(model.eval().features(examples.batch(rows)[0][frames]).values)
        one = examples.inputs[frames]
        inputs[name] = Sequence(torch.cat(parts), one.mask, one.times)
    return replace(examples, inputs=inputs)


def thin(examples: Examples, every: int) -> Examples:
    """The same videos with every so manieth frame alone, their first among them."""

    def cut(tensor: Tensor) -> Tensor:
        return tensor[:, ::every]

    return replace(
        examples,
        inputs={
            name: one._replace(values=cut(one.values), mask=cut(one.mask), times=cut(one.times))
            for name, one in examples.inputs.items()
        },
        targets={name: Targets(cut(one.values), cut(one.valid)) for name, one in examples.targets.items()},
        frames=None if examples.frames is None else cut(examples.frames),
    )


def mirror(examples: Examples) -> Examples:
    """The same people, seen in a mirror."""
    inputs = {name: one.with_values(one.values.flip(-1)) for name, one in examples.inputs.items()}
    return replace(examples, inputs=inputs, keys=tuple(f"{key}{MIRRORED}" for key in examples.keys))


def train_tail(
    features: Examples,
    plan: Plan,
    *,
    encoders: Iterable[str] = tuple(ENCODERS),
    heads: Iterable[str] = HEADS,
) -> Model:
    """What comes behind the encoders, on their stored features; of some encoders and tasks alone, if so wished."""
    names, tasks = tuple(encoders), tuple(heads)
    whole = make_system(names, tasks, smoothing=OPEN)
    config = replace(
        whole,
        inputs={name: FeatureStream(dim=features.inputs[name].values.shape[-1]) for name in names},
        branches={name: Branch(source=name) for name in names},
        sampling=None,
    )
    given = replace(
        features,
        inputs={name: features.inputs[name] for name in names},
        targets={task: features.targets[task] for task in tasks},
    )
    return fit(config, given, plan.fusion, seed=plan.seed)


def join_system(encoders: dict[str, Model], tail: Model) -> Pipeline:
    """One model of the encoders and of what was trained behind them, in evaluation mode."""
    system = make_system(tuple(encoders), smoothing=chosen_smoothing(tail))
    # without the smoothing that was not chosen, and with heads as they are before training
    plain = replace(cast(PipelineConfig, tail.config), heads=system.heads, maps=system.maps).build()
    plain.load_state_dict(tail.state_dict())
    return join_encoders(plain, encoders, sampling=system.sampling)


def _kept_features(encoders: dict[str, Model], examples: Examples, path: Path, *, mirrored: bool, say: Say) -> Examples:
    if not path.is_file():
        say(f"features of {len(examples)} videos: {path.name}")
        found = extract_features(encoders, examples)
        if mirrored:
            found = join_examples([found, extract_features(encoders, mirror(examples))])
        write_examples(found, path)
    return read_examples(path)
