"""Intensities of one action unit, a line per frame: `12,3` of DISFA, `012.jpg 3` of DISFA+."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from affectkit.datasets.frame_folders import frame_number
from affectkit.datasets.lists import read_lines
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.unit_labels import LARGEST
from affectkit.errors import InputError


def read_intensities(path: Path, sample: str, notes: Notes) -> dict[int, int]:
    """Intensity by frame number. Lines that begin with `#` are comments; others that say none are noted, and left out.

    Raises:
        InputError: it is not there, or no text.
    """
    found: dict[int, int] = {}
    odd: list[str] = []
    for where, line in read_lines(path):
        if line.startswith("#"):
            continue
        frame, *rest = line.replace(",", " ").split() or [""]
        text = rest[0] if len(rest) == 1 else ""
        number = int(frame) if frame.isdecimal() else frame_number(frame)
        if number is None or not text.isdecimal() or int(text) > LARGEST or number in found:
            odd.append(where.rpartition(" ")[2])
        else:
            found[number] = int(text)
    if odd:
        fact = f"{counted(len(odd), 'line')} without a frame of its own and an intensity from 0 to {LARGEST}: "
        notes.add("warning", path.name, f"{fact}{named(odd)}; not valid", sample)
    return found


def read_units(files: Mapping[str, Path], sample: str, where: str, notes: Notes) -> dict[str, dict[int, int]]:
    """Intensities by unit and frame; files that can't be read, and those with other frames than most, are noted.

    Arguments:
        files: of units that are there.
        sample: key of the sample.
        where: their folder, for issues.
        notes: issues so far; more are added.
    """
    codes: dict[str, dict[int, int]] = {}
    for unit, path in files.items():
        try:
            codes[unit] = read_intensities(path, sample, notes)
        except InputError as error:
            notes.add_refused(error, path, sample)
    every = set[int]().union(*codes.values())
    short = [f"{unit} {len(own)}" for unit, own in codes.items() if len(own) < len(every)]
    if short:
        fact = f"of {counted(len(every), 'frame')} not all are in each file: {named(short, 12)}; the others not valid"
        notes.add("warning", where, fact, sample)
    return codes
