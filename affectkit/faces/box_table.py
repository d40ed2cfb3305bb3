"""Boxes of a video's frames from a CSV file, with an error for whatever can't be meant."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from affectkit.errors import InputError
from affectkit.records import Face

_BOX = ("left", "top", "width", "height")
_COLUMNS = ("frame", *_BOX)
_HEADER = f"name {', '.join(_COLUMNS)} in the first line, separated by commas"
Row = Mapping[str, str]


def read_boxes(path: Path) -> dict[int, list[Face]]:
    """Faces by frame number, in the order of the rows.

    Raises:
        InputError: there is no such file, it is no CSV table with the columns, or a row has something else than
            numbers that can be meant; the message names the line.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a CSV file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [name.strip() for name in next(rows, [])]
            _check_header(path, header)
            return _read_rows(path, header, ((rows.line_num, cells) for cells in rows))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); check its permissions") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is no CSV file ({error}); save it as CSV in UTF-8") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not any(header):
        raise InputError(f"{path}: has no first line; {_HEADER}")
    for name in _COLUMNS:
        if name not in header:
            raise InputError(f"{path}: no column {name!r} among {', '.join(map(repr, header[:10]))}; {_HEADER}")
    for name in (*_COLUMNS, "track", "score", "confidence"):
        if header.count(name) > 1:
            raise InputError(f"{path}: two columns {name!r}; remove one")


def _read_rows(path: Path, header: list[str], rows: Iterable[tuple[int, list[str]]]) -> dict[int, list[Face]]:
    boxes: dict[int, list[Face]] = {}
    lines: dict[tuple[int, int], int] = {}
    for line, cells in rows:
        where = f"{path}: line {line}"
        if not cells:
            continue
        if len(cells) != len(header):
            raise InputError(f"{where}: {len(cells)} cells, and the first line has {len(header)}; mend the line")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        frame = _count(where, row, "frame")
        if not any(row[name] for name in _BOX):
            continue
        face = _face(where, row)
        if face.track is not None:
            first = lines.setdefault((frame, face.track), line)
            if first != line:
                fact = f"track {face.track} is in frame {frame} already, in line {first}"
                raise InputError(f"{where}: {fact}; a track has one box per frame")
        boxes.setdefault(frame, []).append(face)
    return boxes


def _face(where: str, row: Row) -> Face:
    left, top, width, height = (_number(where, row, name) for name in _BOX)
    for name, size in (("width", width), ("height", height)):
        if size <= 0:
            raise InputError(f"{where}: {name} is {row[name]!r}; write more than 0 pixels")
    name = "score" if row.get("score") else "confidence"
    score = _number(where, row, name) if row.get(name) else 1.0
    if not 0 <= score <= 1:
        raise InputError(f"{where}: {name} is {row[name]!r}; write 0 to 1")
    track = _count(where, row, "track") if row.get("track") else None
    return Face(box=(left, top, width, height), score=score, track=track)


def _number(where: str, row: Row, name: str) -> float:
    try:
        number = float(row[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: {name} is {row[name]!r}; write a number")
    return number


def _count(where: str, row: Row, name: str) -> int:
    # ASCII alone: isdigit is also true for a superscript, which int() refuses
    if not (row[name].isascii() and row[name].isdigit()):
        raise InputError(f"{where}: {name} is {row[name]!r}; write a whole number from 0")
    return int(row[name])
