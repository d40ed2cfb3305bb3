"""Scores of predictions: pooled over all samples, with intervals over subjects; by column; against another system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence as Items
from dataclasses import dataclass

import numpy as np

from affectkit.errors import InputError, did_you_mean
from affectkit.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_score
from affectkit.metrics.recognition import (
    Counts,
    accuracy,
    f1_per_class,
    group_confusions,
    recall_per_class,
    uar,
    uf1,
)
from affectkit.protocols.predictions import Predictions

SCORES = {"UF1": uf1, "UAR": uar, "accuracy": accuracy}


@dataclass(frozen=True)
class Slice:
    """Samples with one value of a column, scored from the same predictions; means over the seeds.

    Attributes:
        samples, subjects: how many.
        scores: `UF1`, `UAR` and `accuracy`.
        absent: classes that none of these samples has: 0 in UF1, left out of UAR.
    """

    samples: int
    subjects: int
    scores: Mapping[str, float]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What `score_predictions` found.

    Attributes:
        classes: in the order of the matrix.
        samples, subjects, seeds: how many.
        scores: `UF1`, `UAR`, `accuracy`, pooled, means over the seeds.
        f1, recall: per class, means over the seeds; NaN for a class that is absent.
        confusion: `(C, C)`, truth in rows, summed over the seeds.
        slices: by value of the column that was asked for.
        absent: classes that no sample has.
    """

    classes: tuple[str, ...]
    samples: int
    subjects: int
    seeds: int
    scores: Mapping[str, Interval]
    f1: tuple[float, ...]
    recall: tuple[float, ...]
    confusion: Counts
    slices: Mapping[str, Slice]
    absent: tuple[str, ...]


def score_predictions(predictions: Predictions, *, classes: Items[str] | None = None, by: str | None = None) -> Report:
    """Pool all samples and score them.

    Arguments:
        predictions: of one seed, or of several for the same samples.
        classes: fixed beforehand, so that nobody's absence changes the mean; None for those that are true of a sample.
        by: a column, such as `dataset`, each of whose values is scored too.

    Raises:
        InputError: a class is not among `classes`, the seeds are of different samples, there is no such column, or
            fewer than two subjects.
    """
    names = _classes(predictions, classes)
    runs = _confusions(predictions, names)
    pooled = runs.sum(axis=1)
    return Report(
        classes=names,
        samples=int(pooled[0].sum()),
        subjects=runs.shape[1],
        seeds=runs.shape[0],
        scores={name: bootstrap_score(runs, score) for name, score in SCORES.items()},
        f1=tuple(f1_per_class(pooled).mean(axis=0).tolist()),
        recall=tuple(recall_per_class(pooled).mean(axis=0).tolist()),
        confusion=pooled.sum(axis=0),
        slices={} if by is None else _slices(predictions, names, by),
        absent=_absent(pooled[0], names),
    )


def compare_predictions(
    ours: Predictions, theirs: Predictions, *, classes: Items[str] | None = None
) -> dict[str, Interval]:
    """Scores of `ours` less those of `theirs`, with intervals by the paired bootstrap over subjects.

    Raises:
        InputError: as `score_predictions`, or the two are not of the same samples.
    """
    names = _classes(ours, classes)
    one, other = _truths(ours), _truths(theirs)
    if one != other:
        key = min((Counter(one) - Counter(other)) + (Counter(other) - Counter(one)))[0]
        raise InputError(
            f"{theirs.source}: not the samples of {ours.source}, or not their truth: {key} differs; compare on the same"
        )
    mine, others = _confusions(ours, names), _confusions(theirs, names)
    return {name: bootstrap_difference(mine, others, score) for name, score in SCORES.items()}


def _classes(predictions: Predictions, classes: Items[str] | None) -> tuple[str, ...]:
    found = {name: set(predictions.columns[name]) for name in ("truth", "predicted")}
    names = tuple(sorted(found["truth"]) if classes is None else classes)
    for column, there in found.items():
        if unknown := sorted(there - set(names)):
            hint = "name all with --classes (in Python classes=...)" if classes is None else "add it, or mend the label"
            raise InputError(
                f"{predictions.source}: {column} has {unknown[0]!r}, which is none of {', '.join(names)}; {hint}"
            )
    return names


def _truths(predictions: Predictions) -> list[tuple[str, str]]:
    """Samples with their truth, sorted; the same for every seed."""
    by_seed: dict[str, list[tuple[str, str]]] = {}
    for seed, key, truth in zip(predictions.seeds, predictions.keys, predictions.columns["truth"], strict=True):
        by_seed.setdefault(seed, []).append((key, truth))
    (first, samples), *others = ((seed, sorted(found)) for seed, found in by_seed.items())
    for seed, found in others:
        if found != samples:
            raise InputError(
                f"{predictions.source}: seed {seed} has other samples or truth than seed {first}; score them apart"
            )
    return samples


def _confusions(predictions: Predictions, names: tuple[str, ...]) -> Counts:
    """Of each seed and subject, `(K, S, C, C)`."""
    _truths(predictions)
    numbers = {name: number for number, name in enumerate(names)}
    runs = []
    for seed in dict.fromkeys(predictions.seeds):
        rows = [at for at, other in enumerate(predictions.seeds) if other == seed]
        truth, found = ([numbers[predictions.columns[name][at]] for at in rows] for name in ("truth", "predicted"))
        runs.append(group_confusions(truth, found, [predictions.subjects[at] for at in rows], len(names))[1])
    return np.stack(runs)


def _slices(predictions: Predictions, names: tuple[str, ...], by: str) -> dict[str, Slice]:
    if by not in predictions.columns:
        hint = did_you_mean(by, list(predictions.columns), noun="columns")
        raise InputError(f"{predictions.source}: no column {by!r}; {hint}")
    slices = {}
    for value in sorted(set(predictions.columns[by])):
        rows = [at for at, other in enumerate(predictions.columns[by]) if other == value]
        columns = {name: tuple(cells[at] for at in rows) for name, cells in predictions.columns.items()}
        runs = _confusions(Predictions(columns, f"{predictions.source}, {by} {value}"), names)
        pooled = runs.sum(axis=1)
        scores = {name: float(score(pooled).mean()) for name, score in SCORES.items()}
        slices[value] = Slice(int(pooled[0].sum()), runs.shape[1], scores, _absent(pooled[0], names))
    return slices


def _absent(confusion: Counts, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, count in zip(names, confusion.sum(axis=1), strict=True) if not count)
