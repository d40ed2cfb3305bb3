"""Which of many listed files are there, without asking the disk for each."""

from __future__ import annotations

import os
from pathlib import Path, PurePath


class FileTree:
    """Files below a folder. Each folder is listed once, when a file in it is first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, frozenset[str]] = {}

    def names(self, folder: str = "") -> frozenset[str]:
        """What lies directly in a folder, seen from the root; empty where it is no folder."""
        if folder not in self._names:
            path = self.root / folder
            self._names[folder] = frozenset(os.listdir(path)) if path.is_dir() else frozenset()
        return self._names[folder]

    def find(self, name: str) -> Path | None:
        """Path of `folder/name`, seen from the root; None where nothing of that name is there, or outside the root."""
        folder, _, base = name.rpartition("/")
        # whoever wrote a list has no say in what else is read of the disk
        if folder and (PurePath(folder).is_absolute() or ".." in PurePath(folder).parts):
            return None
        return self.root / name if base in self.names(folder) else None
