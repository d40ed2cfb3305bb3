"""Trees by name."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from affectkit.datasets.trees.writing import Tree, Writer
from affectkit.errors import InputError, did_you_mean
from affectkit.seeds import check_seed

TREES = (
    "4dme", "aff-wild2", "affectnet", "bp4d", "c-expr-db", "cas-me-2", "cas-me-3", "casme", "casme2", "clip-table",
    "dfew", "dfme", "disfa", "disfa-plus", "emotionet", "fer-plus", "fer2013", "ferv39k", "mafw", "megc2019", "mmew",
    "raf-au", "raf-ce", "raf-db", "raf-db-compound", "s-aff-wild2", "samm", "samm-lv", "smic",
)  # fmt: skip


def make(name: str, root: str | Path, *, seed: int, more: int, pictures: bool) -> Tree:
    """As `affectkit.datasets.make_tree`."""
    if name not in TREES:
        raise InputError(f"{name}: no synthetic tree of that name; {did_you_mean(name, TREES, noun='trees')}")
    if more < 0 or (more and name != "casme2"):
        raise InputError(f"more: {more!r} clips of {name}; give 0, or a positive number for 'casme2'")
    check_seed(seed)
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root}: is there already and not an empty folder; give a new one")
    root.mkdir(parents=True, exist_ok=True)
    writer = Writer(root, np.random.default_rng(seed), pictures)
    # no module's name begins with a digit
    stem = name.replace("-", "_").replace("4dme", "four_dme")
    module = importlib.import_module(f"affectkit.datasets.trees.{stem}_tree")
    module.write(writer, more) if name == "casme2" else module.write(writer)
    return writer.tree()
