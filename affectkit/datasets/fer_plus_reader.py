"""Reader of `fer-plus`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from affectkit.data.labels import BASIC_8
from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.csv_rows import read_rows
from affectkit.datasets.fer2013_pixels import SPLITS, check_array
from affectkit.datasets.fer_plus import FerPlusConfig
from affectkit.datasets.fer_plus_votes import EXPRESSIONS, NAMES, share_votes, top_name
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.tables import find_table
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import ArraySource, ImageSource, Index, Labels

_FOLDERS = {"FER2013Train": "Training", "FER2013Valid": "PublicTest", "FER2013Test": "PrivateTest"}
_HEADER = ["Usage", "Image name", *NAMES[:-1], "NF"]


@dataclass(frozen=True)
class Voted:
    """A row of a table of votes.

    Attributes:
        where: file and row.
        row: in `fer2013.csv` too, from 0.
        picture: name of the file.
        usage: part of the split, as FER2013 calls it.
        cells: the votes, as text.
    """

    where: str
    row: int
    picture: str
    usage: str
    cells: tuple[str, ...]


@final
class FerPlus(Dataset[FerPlusConfig]):
    """One sample per row with a picture's name."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key: `00000`, the row in `fer2013.csv`; of files `fer0000000`.

        Raises:
            InputError: no table of votes, or another; or an array of another table.
        """
        root, notes = Path(root), Notes()
        if self.config.pictures == "files":
            rows = self._files(root, notes)
            where = root.name
        else:
            table = find_table(root, self.config.tables, self.config.table)
            rows, where = self._pixels(table, notes), table.name
        return index_rows("fer-plus", rows, self.config, where, notes, make=make_labeled, noun="picture")

    def _pixels(self, table: Path, notes: Notes) -> Iterator[LabeledRow]:
        found = read_votes(table)
        array = check_array(table.parent, len(found), notes)
        if nameless := [one.where for one in found if not one.picture]:
            fact = f"{counted(len(nameless), 'row')} without an image name: {named(nameless)}; no face, left out"
            notes.add("info", table.name, fact)
        for one in found:
            if one.picture:
                key = f"{one.row:05d}"
                source = array.find(one.row, one.where, key, notes)
                if source is not None:
                    yield from self._row(one, key, source, f"fer2013/{key}", notes)

    def _files(self, root: Path, notes: Notes) -> Iterator[LabeledRow]:
        base = root / "data" if (root / "data").is_dir() else root
        for folder, usage in _FOLDERS.items():
            if self.config.split in ("all", SPLITS[usage]):
                pictures = FileTree(base / folder)
                for one in read_labels(base / folder / "label.csv", usage):
                    path = pictures.find(one.picture)
                    source = None if path is None else ImageSource(path=path)
                    yield from self._row(one, one.picture.rpartition(".")[0], source, "", notes)

    def _row(
        self, one: Voted, key: str, source: ArraySource | ImageSource | None, subject: str, notes: Notes
    ) -> Iterator[LabeledRow]:
        votes = parse_votes(one.cells)
        split = SPLITS.get(one.usage)
        if votes is None or split is None:
            fact = f"usage {one.usage!r} and votes {','.join(one.cells)!r}; expected one of {', '.join(SPLITS)}, and "
            notes.add("error", one.where, f"{fact}{len(NAMES)} counts", key)
        elif self.config.split in ("all", split):
            shares = share_votes(votes, self.config.votes)
            word = top_name(shares)
            own = {} if self.config.votes == "majority" else {self.config.target: self._labels(shares, word in BASIC_8)}
            raw = {"Usage": one.usage, "Image name": one.picture, "split": split}
            yield LabeledRow(
                where=one.where,
                key=key,
                subject=subject,
                emotion=word,
                source=source,
                expected=f"picture {one.picture}",
                targets=own,
                raw=raw | dict(zip(_HEADER[2:], one.cells, strict=True)),
            )

    def _labels(self, shares: tuple[float, ...], is_valid: bool) -> Labels:
        """Shares of the eight classes, or which of them count, in the order of `BASIC_8`."""
        import numpy as np

        by_name = dict(zip(NAMES, shares, strict=True))
        values = np.array([by_name[name] for name in BASIC_8], dtype=np.float32)
        if not is_valid:
            values = np.zeros_like(values)
        elif self.config.votes == "probability":
            values /= values.sum()
        else:
            values = (values > 0).astype(np.float32)
        return Labels(values, np.full(EXPRESSIONS, is_valid))


def read_votes(table: Path) -> list[Voted]:
    """Rows of `fer2013new.csv`.

    Raises:
        InputError: it can't be read, or has another header.
    """
    rows = read_rows(table)
    header = [name.strip() for name in next(rows)]
    if header != _HEADER:
        raise InputError(f"{table} row 1: {','.join(header)[:60]!r} is not {','.join(_HEADER)!r}; take it as released")
    return [
        Voted(f"{table.name} row {row + 2}", row, cells[1].strip(), cells[0].strip(), tuple(cells[2:]))
        for row, cells in enumerate(cells for cells in rows if len(cells) > 1)
    ]


def read_labels(table: Path, usage: str) -> list[Voted]:
    """Rows of `label.csv` beside the pictures: name, box, votes, and no header.

    Raises:
        InputError: it is not there, or can't be read.
    """
    if not table.is_file():
        raise InputError(f"{table}: no such file; unpack it there, or say other pictures=")
    where = f"{table.parent.name}/{table.name}"
    return [
        Voted(f"{where} row {row + 1}", row, cells[0].strip(), usage, tuple(cells[2:]))
        for row, cells in enumerate(cells for cells in read_rows(table) if cells)
    ]


def parse_votes(cells: tuple[str, ...]) -> tuple[float, ...] | None:
    """Ten counts; None for anything else."""
    try:
        votes = tuple(float(cell) for cell in cells)
    except ValueError:
        return None
    return votes if len(votes) == len(NAMES) and min(votes) >= 0 else None
