"""Which dataset a folder holds, by the names of what lies directly in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from affectkit.configs import ComponentConfig
from affectkit.datasets.base import PublishedConfig
from affectkit.errors import InputError


def guess_dataset(root: Path, configs: Mapping[str, type[ComponentConfig]]) -> str:
    """Name of the one dataset whose table, or other sign, lies in `root`.

    Arguments:
        root: a folder.
        configs: config classes by name of the dataset; those that say no signs can't be guessed.

    Raises:
        InputError: no such folder, no sign of any dataset, or signs of several.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder that holds the dataset")
    entries = [name.lower() for name in os.listdir(root) if not name.startswith(("~$", "."))]
    signs = {
        name: config.signs or config.tables for name, config in configs.items() if issubclass(config, PublishedConfig)
    }
    found = [
        name
        for name, patterns in signs.items()
        if any(fnmatch(entry, pattern.lower()) for entry in entries for pattern in patterns)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{root}: signs of {' and '.join(found)}; say which it is with --dataset")
    looked = ", ".join(f"{' '.join(map(repr, patterns))} ({name})" for name, patterns in signs.items() if patterns)
    raise InputError(f"{root}: no sign of a known dataset; looked for {looked}; say which it is with --dataset")
