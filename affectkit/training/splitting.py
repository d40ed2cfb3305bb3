"""How examples are split for an evaluation: by subject, by database, or as the owners of a dataset have split them."""

from __future__ import annotations

import warnings

from affectkit.errors import DataWarning, InputError
from affectkit.protocols.splits import Fold, leave_one_database_out, leave_one_out, split_official, split_subjects
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
