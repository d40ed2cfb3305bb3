"""One fold: train on one half, predict the other. Training gets a copy of its half, and can't reach the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affectkit.artifact import save
from affectkit.configs import ModelConfig
from affectkit.errors import InputError
from affectkit.metrics.recognition import confusion_matrix, uf1
from affectkit.model import Model
from affectkit.protocols.splits import Fold, check_disjoint, split_inner
from affectkit.published import from_pretrained
from affectkit.recipes import Recipe
from affectkit.tracks.predicting import check_encoders
from affectkit.training.examples import Examples, read_examples
from affectkit.training.fitting import fit_tail
from affectkit.training.tails import join_tail

# Clips that are scored at once.
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class FoldJob:
    """All that a worker needs, on this machine or another that sees the same folder.

    Attributes:
        config: of what is trained; where front-ends were computed beforehand, of the tail.
        whole: of the pipeline that is saved.
        recipe: how it is trained, with `seed`.
        examples: file of all of them.
        head: whose classes are predicted.
        fold: which are for what.
        held: which may be used to choose the number of epochs by; without any, an inner split of the training half.
        is_peer: whether the test half is predicted after every epoch too, beside the honest number.
        artifact: saved model or preset to predict with, in place of training; None to train.
        keep: folder that the trained model is saved to; None not to keep it.
    """

    config: ModelConfig
    whole: ModelConfig
    recipe: Recipe
    examples: Path
    head: str
    fold: Fold
    seed: int
    held: tuple[int, ...] = ()
    is_peer: bool = False
    artifact: Path | str | None = None
    keep: Path | None = None


@dataclass(frozen=True)
class FoldResult:
    """Probabilities of the test half.

    Attributes:
        probabilities: `(n, K)` of the model that counts.
        epochs: how long that was trained; 0 where it was given.
        peer: `(E, n, K)` after every epoch; None unless asked for.
    """

    probabilities: list[list[float]]
    epochs: int
    peer: list[list[list[float]]] | None


def run_fold(job: FoldJob, *, progress: Callable[..., None] | None = None) -> FoldResult:
    """Train and predict.

    Raises:
        InputError: a subject is in both halves, or the saved model has another head or learned from features of
            another encoder.
    """
    everything = read_examples(job.examples)
    check_disjoint(job.fold, everything.subjects)
    check_disjoint(replace(job.fold, train=job.held), everything.subjects)
    test = everything.take(job.fold.test)
    peer: list[Tensor] = []

    def watch(model: Model, epoch: int) -> None:
        if job.is_peer:
            peer.append(probabilities(model, test, job.head))
        if progress is not None:
            progress(epoch)

    if job.artifact is not None:
        model, epochs = from_pretrained(job.artifact), 0
        if job.head not in model.traced.outputs:
            raise InputError(f"{job.artifact}: scores {', '.join(model.traced.outputs)}; give models with {job.head!r}")
        check_encoders(model, test.encoders, "examples")
    else:
        train = everything.take(job.fold.train)
        held = everything.take(job.held) if job.held else None
        del everything
        recipe = job.recipe
        if recipe.epoch == "inner":
            recipe = replace(recipe, epochs=choose_epochs(job, train, held), epoch="last")
        model = fit_tail(job.config, train, recipe, seed=job.seed, after_epoch=watch)
        epochs = recipe.epochs
        if job.keep is not None:
            notes = f"Trained without {job.fold.name}, seed {job.seed}."
            kept = join_tail(job.whole, model)
            kept.encoders = train.encoders
            save(kept, job.keep, notes=notes, overwrite=True)
    found = probabilities(model, test, job.head)
    return FoldResult(found.tolist(), epochs, [one.tolist() for one in peer] if job.is_peer else None)


def choose_epochs(job: FoldJob, train: Examples, held: Examples | None = None) -> int:
    """How many epochs are best on what is `held`, or on some subjects of the training half; the least of several."""
    if held is None:
        everybody = Fold(job.fold.name, tuple(range(len(train))), ())
        inner = split_inner(everybody, train.subjects, seed=job.seed)
        train, held = train.take(inner.train), train.take(inner.test)
    judges = held
    truth = held.targets[job.head].values.flatten()
    scores: list[float] = []

    def watch(model: Model, epoch: int) -> None:
        found = probabilities(model, judges, job.head)
        counts = confusion_matrix(truth.tolist(), found.argmax(dim=1).tolist(), found.shape[1])
        scores.append(float(uf1(counts)))

    fit_tail(job.config, train, job.recipe, seed=job.seed, after_epoch=watch)
    return scores.index(max(scores)) + 1


def probabilities(model: Model, examples: Examples, head: str) -> Tensor:
    """Of every class of a head, `(N, K)`, float32 on the CPU; of one that scores frames, for pictures alone."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    found: list[Tensor] = []
    for rows in torch.split(torch.arange(len(examples)), _AT_ONCE):
        inputs, _ = examples.batch(rows)
        moved: dict[str, Any] = {name: one.to(device) for name, one in inputs.items()}
        found.append(model.predict(moved)[head].flatten(0, -2).float().cpu())
    return torch.cat(found)
