"""The small ensemble's training, step by step, with each result on the disk: what is done is not done again.

faces ─▶ members, basic labels ─▶ members, both labels ─▶ their features ─▶ fusion ─▶ ways of joining ─▶ one model
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from affectkit import Model, load, save
from affectkit.errors import InputError
from affectkit.training import Examples, fit
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.workers import Workers
from affectkit_compound.joining import halves, join_ways
from affectkit_compound.plan import Plan
from affectkit_compound.scores import describe_scores, labeled
from affectkit_compound.system import JOINED, MEMBERS, make_compound, make_small_member, make_tail, name_mirrored

Say = Callable[[str], None]
# Faces whose features are computed at once.
_AT_ONCE = 256
NOTES = "Trained on synthetic faces alone, by `affectkit-compound train`."


@dataclass(frozen=True, kw_only=True)
class MemberJob:
    """All that a worker needs to train one member.

    Attributes:
        name: of the member.
        plan: how.
        train: file of examples.
        folder: for its checkpoints and both results.
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
    """Each member, first by basic labels, then by both; `basic/` and `members/` hold what came of it."""
    waiting = [name for name in MEMBERS if not (folder / "members" / name).is_dir()]
    file = folder / "faces.safetensors"
    if waiting:
        folder.mkdir(parents=True, exist_ok=True)
        write_examples(train, file)
        say(f"members {', '.join(waiting)}: {len(train)} faces")
    jobs = [MemberJob(name=name, plan=plan, train=file.resolve(), folder=folder.resolve()) for name in waiting]
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            say(f"member {train_member(job)}: done")
    else:
        with Workers(min(workers, len(jobs))) as pool:
            for future in [pool.submit(train_member, job) for job in jobs]:
                say(f"member {pool.take(future.result())}: done")
    file.unlink(missing_ok=True)
    return load_members(folder)


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
    """Train and save one member in both stages; returns its name."""
    examples = read_examples(job.train)

    def watch(model: Model, epoch: int) -> None:
        if progress is not None:
            progress(job.name, epoch)

    runs, plan, path = job.folder / "runs", job.plan, job.folder / "basic" / job.name
    if not path.is_dir():
        alone = fit(
            make_small_member(job.name, ("expression",)),
            labeled(examples, "expression"),
            plan.recipe("basic", job.name),
            seed=plan.seed,
            folder=runs / f"{job.name}-basic",
            resume=True,
            after_epoch=watch,
        )
        save(alone, path, notes=NOTES)
    whole = make_small_member(job.name)
    model = fit(
        whole,
        examples,
        plan.recipe("compound", job.name),
        seed=plan.seed,
        start=_with_compound_head(load(path), job.name, plan.seed),
        folder=runs / f"{job.name}-compound",
        resume=True,
        after_epoch=watch,
    )
    save(model, job.folder / "members" / job.name, notes=NOTES)
    return job.name


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


def _with_compound_head(basic: Model, name: str, seed: int) -> Model:
    """The member with its second head, which is new."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make_small_member(name).build()
    state: dict[str, Tensor] = dict(model.state_dict())
    known = basic.state_dict()
    new = {key for key in state if key not in known}
    assert all(key.startswith("heads.compound.") for key in new)
    model.load_state_dict(state | known)
    return model
