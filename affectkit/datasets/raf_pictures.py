"""Pictures of RAF-ML, to which the lists of RAF-AU and RAF-CE belong."""

from __future__ import annotations

from pathlib import Path

from affectkit.datasets.file_tree import FileTree
from affectkit.errors import InputError

_DIGITS = 4


class RafPictures:
    """Pictures by the name that a line has, `12.jpg` or `0012.jpg`, whatever the file's own is."""

    def __init__(self, root: Path, pictures: str) -> None:
        """Raises InputError: no folder of that name."""
        folder = root / pictures
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; unpack the pictures there, or say other pictures=")
        self._tree = FileTree(folder)
        self._suffix = "_aligned" if pictures == "aligned" else ""

    def find(self, name: str) -> Path | None:
        """Path of a picture; None where it is not there."""
        return self._tree.find(self.file_name(name))

    def file_name(self, name: str) -> str:
        """Name of the file of a line's picture: `12.jpg` is in `0012_aligned.jpg`."""
        _, _, ending = name.rpartition(".")
        return f"{picture_key(name)}{self._suffix}.{ending}"


def picture_key(name: str) -> str:
    """`0012` of `12.jpg`."""
    return name.rpartition(".")[0].zfill(_DIGITS)
