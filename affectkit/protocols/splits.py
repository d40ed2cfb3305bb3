"""Splits in which nobody is in both halves. A group is a person: subjects go by canonical key, as `casme2/01`."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from affectkit.errors import InputError
from affectkit.seeds import check_seed

HALVES = ("train", "validation", "test")


@dataclass(frozen=True)
class Fold:
    """Samples by their position in the dataset, ascending.

    Attributes:
        name: of the subject, database or part that is left out.
        train: to learn from, and to choose by with `split_inner`.
        test: to be looked at once.
    """

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]


def leave_one_out(groups: Items[str]) -> list[Fold]:
    """A fold per group, sorted by name: leave-one-subject-out (LOSO) where groups are subjects.

    Raises:
        InputError: there are fewer than two groups.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        raise InputError(f"groups: {len(names)} of them; leaving one out needs at least 2")
    return [_fold(name, groups, {name}) for name in names]


def leave_one_database_out(databases: Items[str], subjects: Items[str]) -> list[Fold]:
    """A fold per database.

    Raises:
        InputError: as `leave_one_out`; or a subject is in two databases.
    """
    folds = leave_one_out(databases)
    for fold in folds:
        check_disjoint(fold, subjects)
    return folds


def split_subjects(subjects: Items[str], folds: int, *, seed: int = 0) -> list[Fold]:
    """k folds of about equally many samples; each subject is in the test half of one. Ties are drawn.

    Raises:
        InputError: `folds` is less than 2, or more than there are subjects.
        ConfigError: the seed is not from 0 to 2**63 - 1.
    """
    check_seed(seed)
    names, counts = np.unique(np.asarray(subjects, dtype=np.str_), return_counts=True)
    if not 2 <= folds <= len(names):
        raise InputError(f"folds: {folds!r} for {len(names)} subjects; give 2 to {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names))
    parts: list[set[str]] = [set() for _ in range(folds)]
    sizes = [0] * folds
    # The largest first, each to the fold with the fewest samples.
    for index in order[np.argsort(-counts[order], kind="stable")]:
        smallest = min(range(folds), key=lambda part: (sizes[part], len(parts[part])))
        parts[smallest].add(str(names[index]))
        sizes[smallest] += int(counts[index])
    return [_fold(f"part {number}", subjects, part) for number, part in enumerate(parts, start=1)]


def split_inner(fold: Fold, subjects: Items[str], *, share: float = 0.2, seed: int = 0) -> Fold:
    """The training half of a fold, split again by subject: what epochs, thresholds and settings are chosen by.

    Its `test` holds about `share` of the subjects of `fold.train`, at least one, and none of those of `fold.test`.

    Raises:
        InputError: the share is not between 0 and 1, or the training half has fewer than two subjects.
        ConfigError: the seed is not from 0 to 2**63 - 1.
    """
    check_seed(seed)
    if not 0 < share < 1:
        raise InputError(f"share: {share!r}; give more than 0 and less than 1")
    names = sorted({subjects[index] for index in fold.train})
    if len(names) < 2:
        raise InputError(f"{fold.name}: {len(names)} subject to learn from; an inner split needs at least 2")
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    held = {str(name) for name in np.random.default_rng(seed).permutation(names)[:count]}
    train = tuple(index for index in fold.train if subjects[index] not in held)
    return Fold(f"{fold.name}, inner", train, tuple(index for index in fold.train if subjects[index] in held))


def split_official(halves: Items[str]) -> tuple[Fold, tuple[int, ...]]:
    """The one fold that the owners of a dataset made, and what may be used to choose epochs by.

    Its halves are `train` and `test`, and `validation` is there to choose by; without `test` it is tested on
    `validation`, and nothing but the training half is there to choose by.

    Arguments:
        halves: `train`, `validation` or `test` of each sample.

    Raises:
        InputError: a sample is in none of them, or one half is empty.
    """
    parts = {name: tuple(at for at, half in enumerate(halves) if half == name) for name in HALVES}
    known = sum(map(len, parts.values()))
    if not halves or known < len(halves):
        count = f"{len(halves) - known} of {len(halves)} samples" if halves else "no sample"
        fact = f"{count} in none of {', '.join(HALVES)}" if halves else f"{count} with one"
        raise InputError(f"halves: {fact}; read a dataset that has an official split, or take folds")
    name = "test" if parts["test"] else "validation"
    for half in ("train", name):
        if not parts[half]:
            raise InputError(f"halves: no sample of {half!r}; read all of the dataset, split='all'")
    return Fold(name, parts["train"], parts[name]), parts["validation"] if name == "test" else ()


def check_disjoint(fold: Fold, subjects: Items[str]) -> None:
    """Raise InputError if a subject is in both halves."""
    both = {subjects[index] for index in fold.train} & {subjects[index] for index in fold.test}
    if both:
        raise InputError(f"{fold.name}: subject {min(both)!r} is in both halves; split by subject")


def _fold(name: str, groups: Items[str], left_out: set[str]) -> Fold:
    train = tuple(index for index, group in enumerate(groups) if group not in left_out)
    return Fold(name, train, tuple(index for index, group in enumerate(groups) if group in left_out))
