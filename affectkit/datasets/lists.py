"""Lists without a header: one file and its label per line, blank between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affectkit.datasets.notes import Notes
from affectkit.errors import InputError


@dataclass(frozen=True)
class Listed:
    """A line of a list.

    Attributes:
        where: file and line.
        name: what the line is about; blanks may be in it.
        label: the last word.
    """

    where: str
    name: str
    label: str


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place (`list.txt line 3`) and text of every line that has any, with or without a line end after the last.

    Raises:
        InputError: it is not there, or no text.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; unpack it there")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8 text from byte {error.start} on; unpack it again") from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"{path.name} line {number}", line.strip()


def read_list(path: Path, notes: Notes) -> Iterator[Listed]:
    """Name and label of every line; a line of one word is noted.

    Raises:
        InputError: as `read_lines`.
    """
    for where, line in read_lines(path):
        words = line.rsplit(maxsplit=1)
        if len(words) == 2:
            yield Listed(where, *words)
        else:
            notes.add("error", where, f"{line!r} is no name and label; take the list as it was released")
