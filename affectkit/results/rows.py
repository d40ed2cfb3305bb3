"""Rows of scored frames: one per processed frame and face, streamed to CSV, read back lazily.

Columns: frame, pts, track, status, left, top, width, height, confidence, then one per output and target, such as
`expression.happiness`. Cells without a value are empty. Numbers are written so that they read back as they were.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence as Items
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from affectkit.errors import InputError

Status = Literal["ok", "no_face"]
BASE_COLUMNS = ("frame", "pts", "track", "status", "left", "top", "width", "height", "confidence")
_SHOWN_ROWS, _SHOWN_COLUMNS = 5, 12


@dataclass(frozen=True, kw_only=True)
class Row:
    """One face in one frame, or one frame without a face.

    Attributes:
        frame: position in the file, from 0.
        pts: seconds of container time.
        track: number of the face, the same in every frame that it is followed to; None without a face.
        status: `ok`, or `no_face` where none was found; the fields below are then empty.
        left, top, width, height: box of the face, pixels.
        confidence: the detector's, in [0, 1].
        predictions: decoded values by `output.target`.
    """

    frame: int
    pts: float
    track: int | None
    status: Status
    left: float | None = None
    top: float | None = None
    width: float | None = None
    height: float | None = None
    confidence: float | None = None
    predictions: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """All columns of the row by name, as a data frame takes them."""
        return {name: getattr(self, name) for name in BASE_COLUMNS} | dict(self.predictions)


class Results(Items[Row]):
    """Rows in the order of the video; a sequence. From a file they are read when they are asked for.

    Attributes:
        columns: names of the columns.
        path: the CSV file; None for rows in memory.
        detector: id of the face detector; empty where a table was read again, since it does not say.
    """

    def __init__(
        self, columns: Items[str], *, rows: Items[Row] = (), path: Path | None = None, count: int | None = None
    ) -> None:
        self.columns = tuple(columns)
        self.path = path
        self.detector = ""
        self._rows = tuple(rows)
        self._count = count if path is not None else len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows) if self.path is None else _read_rows(self.path, self.columns)

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self)
        return self._count

    def __getitem__(self, index: Any) -> Any:
        """A row, or a tuple of them for a slice. In a file, everything before it is read over."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return tuple(itertools.islice(self, start, stop, step)) if step > 0 else tuple(self)[index]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return next(itertools.islice(self, at, None))

    def __repr__(self) -> str:
        head = list(itertools.islice(self, _SHOWN_ROWS))
        lines = [self._title()]
        lines += [", ".join(f"{name}={text}" for name, text in _cells(row, self.columns)) for row in head]
        return "\n".join([*lines, "..."] if len(self) > len(head) else lines)

    def _repr_html_(self) -> str:
        columns = self.columns[:_SHOWN_COLUMNS]
        body = [
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for _, text in _cells(row, columns)) + "</tr>"
            for row in itertools.islice(self, _SHOWN_ROWS)
        ]
        header = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        title = html.escape(self._title())
        return f"<table><caption>{title}</caption><tr>{header}</tr>{''.join(body)}</table>"

    def _title(self) -> str:
        where = f" in {self.path}" if self.path is not None else ""
        return f"{len(self)} rows, {len(self.columns)} columns{where}"


class RowWriter:
    """Writes rows to `<path>.part`, which becomes `path` when it is finished; every row is written whole.

    Raises:
        InputError: the ending is not `.csv`, the file is there and `overwrite` is not set, the folder is missing or
            can't be written to, or the disk is full.
    """

    def __init__(self, path: str | Path, columns: Items[str], *, overwrite: bool = False) -> None:
        self.path = check_out(path, overwrite=overwrite)
        self.part = part_of(self.path)
        self.columns = tuple(columns)
        self.count = 0
        self._size = 0
        with _explained(self.part):
            # Not buffered, so that what is in the file is valid whenever the process stops.
            self._file = self.part.open("wb", buffering=0)
        self._append(self.columns)

    def write(self, row: Row) -> None:
        """Append one row."""
        values = row.as_dict()
        self._append(["" if values.get(name) is None else _text(values[name]) for name in self.columns])
        self.count += 1

    def finish(self) -> Results:
        """Close the file, give it its name, and return what is in it."""
        self.close()
        with _explained(self.path):
            os.replace(self.part, self.path)
        return Results(self.columns, path=self.path, count=self.count)

    def close(self) -> None:
        """Close the file, leaving it under its temporary name."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and delete it."""
        self.close()
        self.part.unlink(missing_ok=True)

    def _append(self, cells: Items[str]) -> None:
        """One line, whole or not at all."""
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(cells)
        line = text.getvalue().encode()
        with _explained(self.part):
            try:
                rest = line
                while rest:  # a disk that is nearly full takes a part of it
                    rest = rest[self._file.write(rest) :]
            except BaseException:
                self._file.truncate(self._size)
                raise
        self._size += len(line)


def check_out(path: str | Path, *, overwrite: bool = False) -> Path:
    """`path`, if rows can be written there; nothing is left behind.

    Raises:
        InputError: the ending is not `.csv`, the file is there and `overwrite` is not set, or the folder is missing or
            can't be written to.
    """
    path = Path(path)
    if path.suffix != ".csv":
        raise InputError(f"{path}: ending {path.suffix!r}; write rows to a .csv file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {str(path.parent)!r}; create it")
    with _explained(path):
        tempfile.TemporaryFile(dir=path.parent).close()
    return path


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror}); choose another folder") from error


def part_of(path: Path) -> Path:
    """The temporary name of an unfinished table."""
    return path.with_name(path.name + ".part")


def read_results(path: str | Path) -> Results:
    """The rows of a CSV file that `analyze` wrote; an unfinished `.part` too. Rows are read when asked for.

    Raises:
        InputError: the file is missing, or its columns are not those of such a table.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            columns = next(csv.reader(file), [])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: can't be read ({error}); give a table that analyze wrote") from error
    if tuple(columns[: len(BASE_COLUMNS)]) != BASE_COLUMNS:
        raise InputError(f"{path}: has not the columns {', '.join(BASE_COLUMNS)}; give a table that analyze wrote")
    return Results(columns, path=path)


def _read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    targets = columns[len(BASE_COLUMNS) :]
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            try:
                yield _parse(cells, targets)
            except (ValueError, IndexError) as error:
                raise InputError(f"{path}: line {reader.line_num} is no row ({error}); write the table anew") from error


def _parse(cells: list[str], targets: tuple[str, ...]) -> Row:
    base, rest = cells[: len(BASE_COLUMNS)], cells[len(BASE_COLUMNS) :]
    if len(rest) != len(targets):
        raise ValueError(f"{len(cells)} cells for {len(BASE_COLUMNS) + len(targets)} columns")
    frame, pts, track, status, *box = base
    if status not in get_args(Status):
        raise ValueError(f"status {status!r}")
    left, top, width, height, confidence = (float(text) if text else None for text in box)
    return Row(
        frame=int(frame),
        pts=float(pts),
        track=int(track) if track else None,
        status=cast(Status, status),
        left=left,
        top=top,
        width=width,
        height=height,
        confidence=confidence,
        predictions={name: float(text) for name, text in zip(targets, rest, strict=True) if text},
    )


def _cells(row: Row, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    values = row.as_dict()
    for name in columns:
        value = values.get(name)
        text = f"{value:.4g}" if isinstance(value, float) and name != "pts" else str(value)
        yield name, "" if value is None else text


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
