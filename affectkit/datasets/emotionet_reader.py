"""Reader of `emotionet`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from affectkit.datasets.csv_rows import read_rows
from affectkit.datasets.emotionet import EmotioNetConfig
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.tables import find_table, read_book
from affectkit.datasets.unit_labels import label_codes
from affectkit.errors import InputError, listed
from affectkit.interfaces import Dataset
from affectkit.records import ImageSource, Index, Labels, Sample

# Columns of the lists behind the two addresses.
_LISTED_UNITS = 60
_NOT_CODED = "999"


@dataclass(frozen=True)
class Coded:
    """A row of either kind of table.

    Attributes:
        where: file and row.
        url: address of the picture.
        codes: text by unit.
    """

    where: str
    url: str
    codes: dict[str, str]


@final
class EmotioNet(Dataset[EmotioNetConfig]):
    """One sample per row whose picture is on disk."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, the picture's file.

        Raises:
            InputError: no table, or one without the units; or no folder of pictures.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        if not (root / self.config.pictures).is_dir():
            raise InputError(f"{root / self.config.pictures}: no such folder; put the pictures there, or say pictures=")
        read = read_listed if table.suffix.lower() == ".txt" else read_coded
        pictures = FileTree(root / self.config.pictures)
        found: dict[str, list[tuple[Coded, Path]]] = {}
        # as a set that keeps the order
        lost: dict[str, None] = {}
        for row in read(table, self.config.units, notes):
            key = row.url.rpartition("/")[2]
            path = pictures.find(key) if key else None
            if path is None:
                lost[key] = None
            else:
                found.setdefault(key, []).append((row, path))
        samples = [self._make(key, *own[0], notes) for key, own in sorted(found.items()) if len(own) == 1]
        # pictures of several addresses are called `image.jpg`, and the file is of one of them
        if doubtful := sorted(key for key, own in found.items() if len(own) > 1):
            fact = (
                f"{counted(len(doubtful), 'picture')} with a name that several rows have: {named(doubtful)}; left out"
            )
            notes.add("error", table.name, fact)
        if lost:
            total = counted(len(lost) + len(found), "picture")
            notes.add("warning", table.name, f"{len(lost)} of {total} not on disk: {named(lost)}; fetch them, or go on")
        return Index(samples=tuple(samples), issues=tuple(notes.issues))

    def _make(self, key: str, row: Coded, path: Path, notes: Notes) -> Sample:
        before = len(notes.issues)
        known = {unit: {0: int(code)} for unit, code in row.codes.items() if code in ("0", "1")}
        odd = {unit: code for unit, code in row.codes.items() if code not in ("0", "1", _NOT_CODED)}
        if odd:
            shown = named(f"{unit} {code}" for unit, code in odd.items())
            notes.add("warning", row.where, f"codes that are none of 0, 1 and 999: {shown}; not valid", key)
        labels = label_codes(known, self.config.units, [0], threshold=1)
        return Sample(
            dataset="emotionet",
            subject=f"emotionet/{key}",
            subject_is_known=False,
            key=key,
            source=ImageSource(path=path),
            targets={self.config.target: Labels(labels.values[0], labels.valid[0])},
            raw={"URL": row.url, **row.codes},
            issues=notes.since(before),
        )


def read_coded(table: Path, units: tuple[str, ...], notes: Notes) -> Iterator[Coded]:
    """Rows of the table of 2020, by the names of columns: `URL` and `AU 1`, in quotes or not.

    Raises:
        InputError: it can't be read, has no column of addresses, or none of a unit.
        MissingDependencyError: the package that reads its format is not installed.
    """
    rows = next(iter(read_book(table).values()), [])
    header = [_bare(cell) for cell in rows[0]] if rows else []
    names = {unit: f"AU {unit[2:]}" for unit in units}
    if missing := [name for name in ("URL", *names.values()) if name not in header]:
        raise InputError(f"{table} row 1: no column {listed(missing)}; leave them out of units=, or give another table")
    at = header.index("URL")
    columns = {unit: header.index(name) for unit, name in names.items()}
    short: Counter[int] = Counter()
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        if len(row) < len(header) or not _bare(row[at]):
            short[number] += 1
            continue
        codes = {unit: _bare(row[column]) for unit, column in columns.items()}
        yield Coded(f"{table.name} row {number}", _bare(row[at]), codes)
    _note_short(table, short, notes)


def read_listed(table: Path, units: tuple[str, ...], notes: Notes) -> Iterator[Coded]:
    """Rows of a list with tabs between: two addresses, and a column per unit from 1 to 60.

    Raises:
        InputError: it can't be read, or a unit has no column.
    """
    if missing := [unit for unit in units if not 1 <= int(unit[2:]) <= _LISTED_UNITS]:
        raise InputError(f"{table}: no column of {listed(missing)}; leave them out of units=")
    short: Counter[int] = Counter()
    for number, row in enumerate(read_rows(table, delimiter="\t", has_quotes=False), start=1):
        if len(row) == _LISTED_UNITS + 2:
            codes = {unit: _bare(row[int(unit[2:]) + 1]) for unit in units}
            yield Coded(f"{table.name} row {number}", _bare(row[0]), codes)
        elif any(row):
            short[number] += 1
    _note_short(table, short, notes)


def _note_short(table: Path, short: Counter[int], notes: Notes) -> None:
    if short:
        fact = f"{counted(len(short), 'row')} without an address and all columns: {named(short)}; left out"
        notes.add("warning", table.name, fact)


def _bare(cell: str) -> str:
    return cell.strip().strip("'\"").strip()
