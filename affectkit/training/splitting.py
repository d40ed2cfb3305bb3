"""How examples are split for an evaluation: by subject, by database, or as the owners of a dataset have split them."""

from __future__ import annotations

import warnings

from affectkit.errors import DataWarning, InputError, listed
from affectkit.protocols.splits import (
    HALVES,
    Fold,
    leave_one_database_out,
    leave_one_out,
    split_official,
    split_subjects,
)
from affectkit.recipes import Recipe
from affectkit.training.examples import Examples


def split_examples(protocol: str, examples: Examples, recipe: Recipe, folds: int) -> tuple[list[Fold], tuple[int, ...]]:
    """Folds of `evaluate`, and what epochs may be chosen by in all of them; without any, an inner split.

    Raises:
        InputError: no such protocol, or the examples can't be split by it.
    """
    if protocol == "loso":
        return leave_one_out(examples.subjects), ()
    if protocol == "folds":
        return split_subjects(examples.subjects, folds), ()
    if protocol == "databases":
        return leave_one_database_out(examples.datasets, examples.subjects), ()
    if protocol == "official":
        fold, held = take_official(examples, recipe)
        return [fold], held
    raise InputError(f"protocol: {protocol!r}; give loso, folds, databases or official")


def take_half(examples: Examples, half: str | None, path: str = "examples") -> tuple[Examples, frozenset[str]]:
    """What is to choose by, and the subjects of the other halves, who may not be in it.

    Arguments:
        examples: of which the owners of the dataset may have said in which half each is.
        half: `train`, `validation`, `test` or `all`; None where they are of one half, or of none.
        path: of the examples, for messages.

    Raises:
        InputError: several halves, and none is named; or no example is in it.
    """
    there = set(examples.halves)
    known = [*(one for one in HALVES if one in there), *sorted(there.difference(HALVES))]
    if half is None and len(known) > 1:
        raise InputError(f"{path}: has the halves {listed(known)}; say which one to choose by, or 'all' (--part)")
    if half in (None, "all"):
        return examples, frozenset()
    rows = [row for row, one in enumerate(examples.halves) if one == half]
    if not rows:
        fact = f"it has {listed(known)}" if known else "it has no halves"
        raise InputError(f"{path}: no half {half!r}, {fact}; name another one, or 'all' (--part)")
    others = {subject for subject, one in zip(examples.subjects, examples.halves, strict=True) if one != half}
    return examples.take(rows), frozenset(others)


def take_official(examples: Examples, recipe: Recipe) -> tuple[Fold, tuple[int, ...]]:
    """The fold, and what the number of epochs may be chosen by, as `split_official`.

    It is warned of a validation half that the recipe has no use for.

    Raises:
        InputError: the examples have no such split, or only a part of it; or somebody is in two halves of it.
    """
    fold, held = split_official(examples.halves)
    train = {examples.subjects[row] for row in fold.train}
    test = {examples.subjects[row] for row in fold.test}
    chosen = {examples.subjects[row] for row in held}
    for one, ours, name, theirs in (
        ("train", train, fold.name, test),
        ("train", train, "validation", chosen),
        ("validation", chosen, fold.name, test),
    ):
        if both := ours & theirs:
            fact = f"subject {min(both)!r} is in both halves, {one} and {name}"
            raise InputError(f"halves: {fact}; leave out one of them, as shared='drop' does for ABAW datasets")
    if held and recipe.epoch == "last":
        fact = f"{len(held)} examples of 'validation' are neither trained on nor tested"
        warnings.warn(f"halves: {fact}; epoch='inner' in the recipe chooses by them", DataWarning, stacklevel=4)
    return fold, held
