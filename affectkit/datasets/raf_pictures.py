"""Pictures of RAF-ML, and the lists of RAF-AU and RAF-CE, which say something of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.lists import Listed, read_list
from affectkit.datasets.notes import Notes
from affectkit.errors import InputError

_DIGITS = 4
_NAME = re.compile(r"\w+\.\w+")


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


def read_picture_list(path: Path, notes: Notes) -> Iterator[Listed]:
    """Name and label of every line; one that does not begin with the name of a picture is noted.

    Raises:
        InputError: it is not there, or no text.
    """
    for line in read_list(path, notes):
        if _NAME.fullmatch(line.name):
            yield line
        else:
            fact = f"{line.name!r} is no picture such as '0001.jpg'; take the list as it was released"
            notes.add("error", line.where, fact)


def picture_key(name: str) -> str:
    """`0012` of `12.jpg`."""
    return name.rpartition(".")[0].zfill(_DIGITS)
