"""Reader of `bp4d`."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import final

from affectkit.datasets.bp4d import Bp4dConfig
from affectkit.datasets.csv_rows import read_rows
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.unit_labels import label_codes
from affectkit.datasets.unit_pictures import find_pictures, note_units
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index, Sample

_CODING = "AUCoding"
_TABLE = re.compile(r"([FM]\d{3})_(T\d+)\.csv", re.IGNORECASE)
_PERSON = re.compile(r"[FM]\d{3}")
_FRAME = "0"
# Where nobody could tell.
_NOT_CODED = "9"


@final
class Bp4d(Dataset[Bp4dConfig]):
    """One sample per person and task."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `F001_T1`.

        Raises:
            InputError: no table of occurrence.
        """
        root, notes = Path(root), Notes()
        base = root / _CODING / "AU_OCC"
        tables = sorted(name for name in os.listdir(base) if _TABLE.fullmatch(name)) if base.is_dir() else []
        if not tables:
            raise InputError(f"{base}: no table such as 'F001_T1.csv'; unpack them there")
        people: dict[str, str] = {}
        for path in find_folders(root, _PERSON, skip=re.compile(_CODING)):
            key = os.path.basename(path)
            if people.setdefault(key, path) != path:
                notes.add_second(path, people[key], root, key)
        samples = [self._read(base / name, people, notes) for name in tables]
        return Index(samples=tuple(one for one in samples if one is not None), issues=tuple(notes.issues))

    def _read(self, table: Path, people: dict[str, str], notes: Notes) -> Sample | None:
        before, key = len(notes.issues), table.stem.upper()
        person, task = key.split("_")
        subject = f"bp4d/{person}"
        if not self.config.is_asked_for(subject):
            return None
        try:
            codes, frames = read_occurrence(table, self.config.units, key, notes)
        except InputError as error:
            notes.add_refused(error, table, key)
            return None
        note_units(self.config.units, codes, table.name, key, notes)
        folder = os.path.join(people.get(person, ""), task)
        found = None
        if person in people and os.path.isdir(folder):
            found = find_pictures(folder, frames, table.name, key, self.config.fps, notes)
        if found is None or not found.numbers:
            fact = f"no picture of {person}/{task} for {counted(len(frames), 'coded frame')}; unpack them"
            notes.add("error", table.name, fact, key)
            return None
        return Sample(
            dataset="bp4d",
            subject=subject,
            key=key,
            source=found.source,
            times=found.times,
            targets={self.config.target: label_codes(codes, self.config.units, found.numbers, threshold=1)},
            raw={"table": table.name, "part": self.config.part(subject)},
            issues=notes.since(before),
        )


def read_occurrence(
    table: Path, units: tuple[str, ...], sample: str, notes: Notes
) -> tuple[dict[str, dict[int, int]], list[int]]:
    """Code by unit and frame, without those that nobody could tell; and all frames with a row, ascending.

    Arguments:
        table: columns are called `0`, the frame, and by the numbers of units.
        units: those to read.
        sample: key of the sample, for issues.
        notes: issues so far; more are added.

    Raises:
        InputError: it can't be read, or has no column of frames.
    """
    header, *rows = ([cell.strip() for cell in row] for row in read_rows(table))
    if _FRAME not in header:
        raise InputError(f"{table} row 1: no column {_FRAME!r}, which is the frame; take the table as it was released")
    columns = {unit: header.index(unit[2:]) for unit in units if unit[2:] in header}
    at, odd = header.index(_FRAME), Counter[int]()
    codes: dict[str, dict[int, int]] = {unit: {} for unit in columns}
    frames: set[int] = set()
    for number, row in enumerate(rows, start=2):
        if not any(row):
            continue
        if len(row) != len(header) or not row[at].isdecimal() or int(row[at]) in frames:
            odd[number] += 1
            continue
        frame = int(row[at])
        frames.add(frame)
        for unit, column in columns.items():
            if row[column] in ("0", "1"):
                codes[unit][frame] = int(row[column])
            elif row[column] != _NOT_CODED:
                odd[number] += 1
    if odd:
        fact = f"{counted(len(odd), 'row')} without a frame of its own, or with a code that is none of 0, 1 and 9: "
        notes.add("warning", table.name, f"{fact}{named(odd)}; not valid", sample)
    return codes, sorted(frames)
