"""The split that the owners of a dataset made, as evaluations use it."""

from __future__ import annotations

import warnings

from affectkit.errors import DataWarning
from affectkit.protocols.splits import Fold, split_official
from affectkit.recipes import Recipe
from affectkit.training.examples import Examples


def take_official(examples: Examples, recipe: Recipe) -> tuple[Fold, tuple[int, ...]]:
    """The fold, and what the number of epochs may be chosen by, as `split_official`.

    It is warned of a validation half that the recipe has no use for.

    Raises:
        InputError: the examples have no such split, or only a part of it.
    """
    fold, held = split_official(examples.halves)
    if held and recipe.epoch == "last":
        fact = f"{len(held)} examples of 'validation' are neither trained on nor tested"
        warnings.warn(f"halves: {fact}; epoch='inner' in the recipe chooses by them", DataWarning, stacklevel=3)
    return fold, held
