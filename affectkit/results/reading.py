"""Reading tables, finished or not: one line after the other, when they are asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence as Items
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from affectkit.errors import InputError
from affectkit.results.info import RunInfo
from affectkit.results.places import TABLE_ENDINGS, check_count, check_ending, events_of, is_unfinished, parts_of
from affectkit.results.progress import Progress
from affectkit.results.rows import EVENT_COLUMNS, Cells, EventRow, Row, base_of
from affectkit.results.tables import format_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

L = TypeVar("L", Row, EventRow)


class StoredLines(Items[L], Generic[L]):
    """Rows or events in files, read when they are asked for.

    Arguments:
        files: in order, each with the lines of it that count; None for all.
        columns: of every file.
        make: makes a row or an event of cells.
    """

    def __init__(
        self, files: Items[tuple[Path, int | None]], columns: tuple[str, ...], make: Callable[[Cells], L]
    ) -> None:
        self._files, self._columns = tuple(files), columns
        self._make: Callable[[Cells], L] = make

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        return tuple(format_of(path).count(path) if count is None else count for path, count in self._files)

    def __len__(self) -> int:
        return sum(self._counts)

    def __iter__(self) -> Iterator[L]:
        for path, count in self._files:
            yield from self._read(path, 0, count)

    @overload
    def __getitem__(self, index: int) -> L: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[L, ...]: ...

    def __getitem__(self, index: int | slice) -> L | tuple[L, ...]:
        """A line, or a tuple of them for a slice; what lies before it is passed over."""
        if isinstance(index, slice):
            wanted = range(*index.indices(len(self)))
            if not wanted:
                return ()
            low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
            ascending = tuple(itertools.islice(self._from(low), 0, high - low + 1, abs(wanted.step)))
            return ascending if wanted.step > 0 else ascending[::-1]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return next(self._from(at))

    def _from(self, start: int) -> Iterator[L]:
        for (path, _), count in zip(self._files, self._counts, strict=True):
            if start < count:
                yield from self._read(path, start, count)
            start = max(start - count, 0)

    def _read(self, path: Path, start: int, count: int | None) -> Iterator[L]:
        lines = format_of(path).read(path, self._columns, start)
        found = start
        for where, cells in itertools.islice(lines, None if count is None else count - start):
            try:
                line = self._make(cells)
            except ValueError as error:
                raise InputError(f"{path}: {where} is no row ({error}); analyze the video again") from error
            found += 1
            yield line
        if count is not None:
            check_count(path, found, count)


class Results(Items[Row]):
    """Rows in the order of the video, a sequence, and the events beside them.

    Attributes:
        columns: names of the columns.
        path: the file; the folder of the parts for an unfinished table; None for rows in memory.
        info: what made the table; None where nothing says so.

    Arguments:
        columns: `BASE_COLUMNS`, or of many pictures `PICTURE_COLUMNS`; then the predictions.
        rows: any sequence.
        events: any sequence.
        event_columns: `EVENT_COLUMNS`, then the predictions of events; by default those alone.
        info: what made them.
        path: where they are.
    """

    def __init__(
        self,
        columns: Items[str],
        rows: Items[Row] = (),
        *,
        events: Items[EventRow] = (),
        event_columns: Items[str] = (),
        info: RunInfo | None = None,
        path: Path | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.event_columns = tuple(event_columns) or EVENT_COLUMNS
        self.info, self.path = info, path
        self._rows, self._events = rows, events

    @cached_property
    def events(self) -> tuple[EventRow, ...]:
        """The events, in the order in which they became final."""
        return tuple(self._events)

    @property
    def detector(self) -> str:
        """Id of the face detector; empty where nothing says it."""
        return self.info.detector if self.info is not None else ""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that hold predictions, `output.target`."""
        return self.columns[len(base_of(self.columns)) :]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...

    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        """A row, or a tuple of them for a slice."""
        return tuple(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __repr__(self) -> str:
        from affectkit.results.display import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from affectkit.results.display import as_html

        return as_html(self)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        from affectkit.results.frames import data_frame

        return data_frame(self.columns, (row.as_dict() for row in self))

    def events_to_pandas(self) -> Any:
        """The events as a `pandas.DataFrame`.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        from affectkit.results.frames import data_frame

        return data_frame(self.event_columns, (event.as_dict() for event in self.events))

    def plot(
        self,
        path: str | Path | None = None,
        *,
        targets: Iterable[str] | None = None,
        track: int | None = None,
        overwrite: bool = False,
    ) -> Figure:
        """The timeline as a matplotlib figure; arguments as of `plot_timeline`."""
        from affectkit.results.plotting import plot_timeline

        return plot_timeline(self, path, targets=targets, track=track, overwrite=overwrite)


def read_results(path: str | Path) -> Results:
    """A table that `analyze` wrote, or what it has of one that is not finished. Rows are read when asked for.

    Arguments:
        path: a `.parquet` or `.csv` file; where it is not there yet, what is in `<path>.parts` is read. That folder may
            be given too.

    Raises:
        InputError: there is no such table, it is damaged, another table, or of a newer affectkit.
    """
    path = Path(path)
    if path.suffix == ".parts":
        path = path.with_suffix("")
        if not is_unfinished(path):
            raise InputError(f"{parts_of(path)}: holds no unfinished table; check the path")
        return _read_parts(path)
    check_ending(path, TABLE_ENDINGS, "give a .parquet or .csv file that analyze wrote")
    if not path.exists() and is_unfinished(path):
        return _read_parts(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    table = format_of(path)
    columns = _columns(path)
    beside = events_of(path)
    events: Items[EventRow] = ()
    event_columns: tuple[str, ...] = ()
    if beside.is_file():
        event_columns = _columns(beside, EVENT_COLUMNS)
        events = StoredLines([(beside, None)], event_columns, EventRow.of)
    rows = StoredLines([(path, None)], columns, Row.of)
    return Results(columns, rows, events=events, event_columns=event_columns, info=table.info(path), path=path)


def _read_parts(out: Path) -> Results:
    folder = parts_of(out)
    progress = Progress.read(folder)
    rows = StoredLines(progress.parts(folder, "rows", out.suffix), progress.columns, Row.of)
    events = StoredLines(progress.parts(folder, "events", out.suffix), progress.event_columns, EventRow.of)
    return Results(
        progress.columns,
        rows,
        events=events,
        event_columns=progress.event_columns,
        info=progress.info,
        path=folder,
    )


def _columns(path: Path, base: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The columns, which begin with `base`; with those of rows where it is left out."""
    columns = format_of(path).columns(path)
    base = base or base_of(columns)
    if columns[: len(base)] != base:
        raise InputError(f"{path}: has not the columns {', '.join(base)}; give a table that analyze wrote")
    return columns
