"""Published datasets as components, and synthetic trees with their layout."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would double the cost of this module
if TYPE_CHECKING:
    from pathlib import Path

    from affectkit.datasets.trees.writing import Tree


def make_tree(name: str, root: str | Path, *, seed: int = 0, more: int = 0, pictures: bool = True) -> Tree:
    """Write a tiny synthetic release of a dataset: its layout, its names and its oddities, with invented values.

    Arguments:
        name: of the dataset component, such as `casme2`.
        root: a folder that is not there yet, or is empty.
        seed: of the pictures, which are noise, and of the values of further clips.
        more: how many ordinary clips of 20 frames to add, for measurements; `casme2` alone.
        pictures: whether files of frames are pictures; if not, they are empty, since readers never open them.

    Returns:
        What a right reader finds.

    Raises:
        InputError: no tree of that name is known, `root` holds something, or `more` is negative or not for this set.
        ConfigError: `seed` is not from 0 to 2**63 - 1.
        MissingDependencyError: openpyxl, which writes the tables, is not installed.
    """
    from affectkit.datasets.trees.making import make

    return make(name, root, seed=seed, more=more, pictures=pictures)
