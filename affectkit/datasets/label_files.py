"""Annotations of one video in one ABAW challenge: a header, and a line per frame."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from affectkit.data.labels import ABAW_8
from affectkit.datasets.frame_labels import (
    FrameLabels,
    label_affect,
    label_expression,
    label_units,
    parse_numbers,
)
from affectkit.datasets.frame_notes import note_lines
from affectkit.datasets.notes import Notes, counted
from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from affectkit.datasets.abaw import AbawConfig

Challenge = Literal["va", "expr", "au"]
AFFECT = ("valence", "arousal")
_UNIT = re.compile(r"AU\d+")
_HEADERS = {
    "va": "valence,arousal",
    "expr": "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    "au": "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
}


@dataclass(frozen=True)
class LabelFile:
    """What a file says, before any sentinel is taken for one.

    Attributes:
        where: the file, for issues.
        names: of the header: of columns, or of classes.
        values: `(T, K)`; line i below the header is row i - 1. K is 1 for expressions.
        readable: `(T,)`, False where a line is no row of numbers.
    """

    where: str
    names: tuple[str, ...]
    values: NDArray[np.float64]
    readable: NDArray[np.bool_]


def read_label_file(path: Path, challenge: Challenge, where: str) -> LabelFile:
    """Read one file. Lines that are no numbers stay, so that the others keep their frames; blank ones at the end don't.

    Raises:
        InputError: it is no text, its first line is no header of the challenge, or no line is below it.
    """
    lines = text_lines(path)
    header = [name.strip() for name in (lines[0] if lines else "").split(",")]
    names = tuple(header) if challenge == "au" else tuple(name.lower() for name in header)
    if not _is_header(names, challenge):
        shown = lines[0] if lines else ""
        raise InputError(f"{where}, line 1: {shown!r} is no header of {challenge}; expected {_HEADERS[challenge]!r}")
    if len(lines) == 1:
        raise InputError(f"{where}: no line below its header; unpack it again")
    values, readable = parse_numbers(lines[1:], 1 if challenge == "expr" else len(names))
    return LabelFile(where, names, values, readable)


def text_lines(path: Path) -> list[str]:
    """Lines of a text file, whatever their ends, without blank ones behind the last that has text.

    Raises:
        InputError: it can't be read, or is no text.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); unpack it again") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def label_frames(file: LabelFile, challenge: Challenge, config: AbawConfig, notes: Notes, sample: str) -> FrameLabels:
    """Labels of one file for the config's classes and units; what is odd is noted with the lines that it is in."""
    import numpy as np

    if challenge == "va":
        found = label_affect(file.values[:, [file.names.index(name) for name in AFFECT]])
    elif challenge == "expr":
        found = label_expression(file.values[:, 0], file.names, config.classes)
    else:
        found = label_units(file.values, file.names, config.units)
    # the first row is the second line
    numbers = counted(file.values.shape[1], "number")
    note_lines(file.where, np.flatnonzero(~file.readable) + 2, f"without {numbers}", notes, sample)
    note_lines(file.where, np.flatnonzero(found.odd & file.readable) + 2, f"with {found.oddity}", notes, sample)
    return found


def _is_header(names: tuple[str, ...], challenge: Challenge) -> bool:
    if len(set(names)) < len(names):
        return False
    if challenge == "va":
        return set(names) == set(AFFECT)
    if challenge == "expr":
        return len(names) > 1 and set(names) <= set(ABAW_8)
    return all(_UNIT.fullmatch(name) for name in names)
