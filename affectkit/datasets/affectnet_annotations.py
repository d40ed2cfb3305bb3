"""Annotations of AffectNet: a row of a table, or three files of one number each."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from affectkit.datasets.csv_rows import read_rows
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.notes import Notes, counted, named
from affectkit.errors import InputError, listed

# Columns of the original release; some copies of the second table have no header.
COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression",
    "valence", "arousal",
)  # fmt: skip
_NEEDED = ("subDirectory_filePath", "expression", "valence", "arousal")
# 136 numbers: of 400 000 rows they would fill the memory, and nothing reads them here.
_LEFT_OUT = "facial_landmarks"
_LARGEST = 10_000


@dataclass(frozen=True)
class Annotation:
    """What is said of one picture, as text.

    Attributes:
        where: file and row, or the files.
        picture: its file, seen from the folder of the pictures.
        expression, valence, arousal: as written.
        raw: further fields.
    """

    where: str
    picture: str
    expression: str
    valence: str
    arousal: str
    raw: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, notes: Notes) -> Iterator[Annotation]:
    """Rows of a table of the original release, by the names of columns, in whatever order they are.

    Raises:
        InputError: it is not there, can't be read, or lacks a column.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; unpack it there, or say other release= or split=")
    rows = read_rows(path)
    first = next(rows, [])
    has_header = not _is_row(first)
    names = [name.strip() for name in first] if has_header else list(COLUMNS)
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise InputError(f"{path} row 1: no column {listed(missing)}; take the table as it was released")
    if not has_header:
        notes.add("info", path.name, "has no header; its columns are taken in the order of the release")
        yield _annotation(path, 1, names, first)
    for number, row in enumerate(rows, start=2):
        if len(row) == len(names):
            yield _annotation(path, number, names, row)
        elif row:
            fact = f"{counted(len(row), 'cell')} for {len(names)} columns; mend the row"
            notes.add("error", f"{path.name} row {number}", fact)


def read_arrays(folder: Path, notes: Notes) -> Iterator[Annotation]:
    """Pictures of a half of the current release, `train_set`, by the files `12_exp.npy` beside them.

    Raises:
        InputError: there are no such folders.
    """
    for name in ("annotations", "images"):
        if not (folder / name).is_dir():
            raise InputError(f"{folder / name}: no such folder; unpack it there, or say other release= or split=")
    names = FileTree(folder / "annotations").names()
    pictures = sorted(name.removesuffix("_exp.npy") for name in names if name.endswith("_exp.npy"))
    for picture in pictures:
        where = f"{folder.name}/annotations/{picture}_exp.npy"
        texts: list[str] = []
        for part in ("exp", "val", "aro"):
            name = f"{picture}_{part}.npy"
            try:
                texts.append(read_text(folder / "annotations" / name))
            except (OSError, ValueError):
                fact = f"{name} is not there, or no array of one value; unpack it again"
                notes.add("warning" if texts else "error", where, fact, f"{picture}.jpg")
                texts.append("-2" if texts else "")
        if texts[0]:
            expression, valence, arousal = texts
            yield Annotation(where, f"{picture}.jpg", expression, valence, arousal)
    spare = sorted(FileTree(folder / "images").names() - {f"{picture}.jpg" for picture in pictures})
    if spare:
        fact = f"{counted(len(spare), 'file')} without an annotation: {named(spare)}; left out"
        notes.add("info", f"{folder.name}/images", fact)


def read_text(path: Path) -> str:
    """The one value of a `.npy` file as text; the release has arrays of text, `'3'` and `'-0.17'`.

    Equals `read_text_ref`, some eight times as fast: there are 860 000 such files, with a few different headers.

    Raises:
        OSError: it can't be read.
        ValueError: it is no array of one value.
    """
    with open(path, "rb") as file:
        data = file.read(_LARGEST)
    start = data.find(b"\n") + 1
    width = _text_width(data[:start])
    if width is None:
        return read_text_ref(path)
    text = data[start:].decode("utf-32-le")
    if len(text) != width:
        raise ValueError(f"{path}: cut short")
    return text.rstrip("\0").strip()


def read_text_ref(path: Path) -> str:
    """The plain twin of `read_text`, which takes any array."""
    import numpy as np

    try:
        return str(np.load(path, allow_pickle=False).item()).strip()
    except EOFError as error:
        raise ValueError(f"{path}: empty") from error


# every file of one kind begins alike
@functools.lru_cache(maxsize=64)
def _text_width(header: bytes) -> int | None:
    """How many characters an array of one text has, by the file's first bytes; None if it is something else."""
    import io

    import numpy as np

    if not header.startswith(b"\x93NUMPY\x01\x00"):
        return None
    file = io.BytesIO(header[8:])
    try:
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError:
        return None
    return dtype.itemsize // 4 if shape == () and dtype.str.startswith("<U") else None


def _is_row(cells: list[str]) -> bool:
    return len(cells) == len(COLUMNS) and cells[-3].strip().isdigit()


def _annotation(path: Path, number: int, names: list[str], cells: list[str]) -> Annotation:
    raw = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if name != _LEFT_OUT}
    picture, expression, valence, arousal = (raw[name] for name in _NEEDED)
    return Annotation(f"{path.name} row {number}", picture.replace("\\", "/"), expression, valence, arousal, raw)
