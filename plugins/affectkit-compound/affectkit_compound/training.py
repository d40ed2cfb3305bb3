"""The small ensemble's training, step by step, with each result on the disk: what is done is not done again.

faces ─▶ members, basic labels ─▶ members, both labels ─▶ their features ─▶ fusion ─▶ ways of joining ─▶ one model
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from affectkit import Model, load, save
from affectkit.errors import InputError
from affectkit.training import Examples, fit
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.workers import Outcome, Workers
from affectkit_compound.joining import halves, join_ways
from affectkit_compound.plan import Plan
from affectkit_compound.scores import describe_scores, labeled
from affectkit_compound.system import JOINED, MEMBERS, make_compound, make_small_member, make_tail, name_mirrored

Say = Callable[[str], None]
Stage = Literal["basic", "compound"]
# Folders of what comes of each stage.
RESULTS: Mapping[Stage, str] = MappingProxyType({"basic": "basic", "compound": "members"})
# Faces whose features are computed at once.
_AT_ONCE = 256
NOTES = "Trained on synthetic faces alone, by `affectkit-compound train`."


@dataclass(frozen=True, kw_only=True)
class MemberJob:
    """All that a worker needs to train one member in one stage.

    Attributes:
        name: of the member.
        stage: on basic labels, or on both, which begins with what came of the first.
        plan: how.
        train: file of examples.
        folder: for its checkpoints and results.
    """

    name: str
    stage: Stage
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
    """The whole ensemble; a run that was stopped goes on.

    Arguments:
        train: faces `(N, 1, 3, 112, 112)` with labels `expression` and `compound`.
        choice: other people, the first half of whom what joins members is fitted on; scores are those of the second.
        plan: recipes of the steps.
        folder: for what is done.
        workers: processes, each with a member of its own.
        say: called with a line about each step.

    Raises:
        InputError: somebody is in both sets.
    """
    if both := sorted(set(train.subjects) & set(choice.subjects)):
        raise InputError(f"choice: {both[0]!r} is in the training set too; choose by other people")
    members = train_members(train, plan, folder=folder, workers=workers, say=say)
    for name, line in describe_scores(members, choice).items():
        say(f"{name} alone, on choice people: {line}")
    path = folder / "fusion"
    if not path.is_dir():
        say("fusion: on stored features, of faces and of their mirror images")
        features = join_examples([extract_features(members, part) for part in (train, mirror(train))])
        save(train_fusion(features, plan), path, notes=NOTES)
    fitting, choosing = halves(choice)
    found = join_ways(members, load(path), fitting, used_elsewhere=train.subjects)
    for name, line in describe_scores(found, choosing).items():
        say(f"joined by {name}, on choice people: {line}")
    joined = name_mirrored(JOINED)
    say(f"written: joined by {joined}")
    # the ways have frozen members; the preset's can train
    model = make_compound().build()
    model.load_state_dict(found[joined].state_dict())
    return model.eval()


def train_members(
    train: Examples, plan: Plan, *, folder: Path, workers: int = 1, say: Say = lambda line: None
) -> dict[str, Model]:
    """Each member, first by basic labels, then by both; folders of `RESULTS` hold what came of it."""
    names = [name for name in MEMBERS if not (folder / RESULTS["compound"] / name).is_dir()]
    file = folder / "faces.safetensors"
    if names:
        folder.mkdir(parents=True, exist_ok=True)
        write_examples(train, file)
        say(f"members {', '.join(names)}: {len(train)} faces")
    jobs = [
        MemberJob(name=name, stage="basic", plan=plan, train=file.resolve(), folder=folder.resolve()) for name in names
    ]
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            for stage in RESULTS:
                say(train_member(replace(job, stage=stage)))
    else:
        _share_out(jobs, min(workers, len(jobs)), say)
    file.unlink(missing_ok=True)
    return load_members(folder)


def _share_out(jobs: Iterable[MemberJob], workers: int, say: Say) -> None:
    """These first stages and the second ones that follow them, each by the next worker that has nothing to do."""
    waiting = sorted(jobs, key=_turn)
    running: dict[Future[Outcome[str]], MemberJob] = {}
    with Workers(workers) as pool:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                running[pool.submit(train_member, job)] = job
            done = next(as_completed(running))
            job = running.pop(done)
            say(pool.take(done.result()))
            if job.stage == "basic":
                waiting = sorted([*waiting, replace(job, stage="compound")], key=_turn)


def _turn(job: MemberJob) -> tuple[bool, int]:
    """Short first stages come first, then long second ones, so that workers end at about the same time."""
    place = tuple(MEMBERS).index(job.name)
    return job.stage != "basic", place if job.stage == "compound" else -place


def load_members(folder: Path, kind: str = "members") -> dict[str, Model]:
    """Trained members of a run: of `members`, or `basic` ones, which have never seen a compound.

    Raises:
        InputError: one is missing.
    """
    for name in MEMBERS:
        if not (folder / kind / name).is_dir():
            raise InputError(f"{folder / kind / name}: no such member; run affectkit-compound train --out {folder}")
    return {name: load(folder / kind / name) for name in MEMBERS}


def train_member(job: MemberJob, *, progress: Callable[..., None] | None = None) -> str:
    """Train and save one member in one stage, unless that is done; returns a line about it."""
    started, path = time.perf_counter(), job.folder / RESULTS[job.stage] / job.name
    if path.is_dir():
        return f"member {job.name}, {job.stage}: is there"
    examples = read_examples(job.train)

    def watch(model: Model, epoch: int) -> None:
        if progress is not None:
            progress(job.name, epoch)

    is_basic = job.stage == "basic"
    model = fit(
        make_small_member(job.name, ("expression",)) if is_basic else make_small_member(job.name),
        labeled(examples, "expression") if is_basic else examples,
        job.plan.recipe(job.stage, job.name),
        seed=job.plan.seed,
        start=None if is_basic else _with_compound_head(job.folder, job.name, job.plan.seed),
        folder=job.folder / "runs" / f"{job.name}-{job.stage}",
        resume=True,
        after_epoch=watch,
    )
    save(model, path, notes=NOTES)
    return f"member {job.name}, {job.stage}: done after {time.perf_counter() - started:.0f} s"


def extract_features(members: Mapping[str, Model], examples: Examples) -> Examples:
    """The same examples with features `(N, 1, D)` of every member in place of the faces."""
    ((_, faces),) = examples.inputs.items()
    inputs = {}
    for name, model in members.items():
        with torch.no_grad():
            parts = [model.eval().features(part).values for part in torch.split(faces.values, _AT_ONCE)]
        inputs[name] = faces.with_values(torch.cat(parts))
    return replace(examples, inputs=inputs)


def mirror(examples: Examples) -> Examples:
    """The same people, seen in a mirror."""
    inputs = {name: one.with_values(one.values.flip(-1)) for name, one in examples.inputs.items()}
    return replace(examples, inputs=inputs, keys=tuple(f"{key}-mirrored" for key in examples.keys))


def train_fusion(features: Examples, plan: Plan) -> Model:
    """Fusion and heads at feature level, on stored features: the members stay as they are."""
    dims = {name: one.values.shape[-1] for name, one in features.inputs.items()}
    return fit(make_tail(dims), features, plan.fusion, seed=plan.seed)


def _with_compound_head(folder: Path, name: str, seed: int) -> Model:
    """What came of the first stage, with its second head, which is new."""
    basic = load(folder / RESULTS["basic"] / name)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make_small_member(name).build()
    state: dict[str, Tensor] = dict(model.state_dict())
    known = basic.state_dict()
    new = {key for key in state if key not in known}
    assert all(key.startswith("heads.compound.") for key in new)
    model.load_state_dict(state | known)
    return model
