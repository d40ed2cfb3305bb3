"""Writes a table while a video is analyzed, so that nothing is lost whenever the process or the disk gives out.

    rows, events ─▶ <out>.parts/rows-00000.parquet ... + progress.json ─▶ <out>, <stem>.events.parquet

Whole parts are renamed into place, and only then counted in the progress file, which is itself replaced at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence as Items
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from affectkit.errors import InputError
from affectkit.results.info import RunInfo
from affectkit.results.joining import join_into
from affectkit.results.parts import PartWriter
from affectkit.results.places import check_file, check_out, clear_parts, explained, is_unfinished, parts_of
from affectkit.results.progress import Checkpoint, Progress
from affectkit.results.reading import Results, read_results
from affectkit.results.rows import EVENT_COLUMNS, EventRow, Row, base_of, check_columns


class ResultWriter:
    """Writes rows and events into parts, and joins them when all is done.

    Attributes:
        out: the table to be.
        parts: the folder of the parts until then, `<out>.parts`.

    Arguments:
        out: a `.parquet` or `.csv` file.
        columns: `BASE_COLUMNS`, or of many pictures `PICTURE_COLUMNS`; then `output.target` of every prediction.
        info: what is run.
        event_columns: `EVENT_COLUMNS`, then those of their predictions, where the run looks for events: their table
            is then written even if it stays empty. Left out, there is one only if an event comes.
        overwrite: whether what is there, finished or not, may be replaced. A finished table stays until `finish`.
        part_rows: rows of a part, which are in memory until it is written.

    Raises:
        InputError: something is there, or the folder is missing or can't be written to.
    """

    def __init__(
        self,
        out: str | Path,
        columns: Items[str],
        info: RunInfo,
        *,
        event_columns: Items[str] = (),
        overwrite: bool = False,
        part_rows: int = 4096,
    ) -> None:
        if part_rows < 1:
            raise InputError(f"part_rows: {part_rows!r} is not accepted; write 1 or more")
        out = check_out(out, overwrite=overwrite)
        progress = Progress(
            info=dataclasses.replace(info, complete=False),
            columns=tuple(columns),
            event_columns=tuple(event_columns) or EVENT_COLUMNS,
            has_events=bool(event_columns),
            part_rows=part_rows,
        )
        check_columns(progress.columns, base_of(progress.columns))
        check_columns(progress.event_columns, EVENT_COLUMNS)
        folder = parts_of(out)
        with explained(folder, "choose another folder"):
            clear_parts(folder)
            folder.mkdir(exist_ok=True)
            progress.write(folder)
        self._begin(out, progress)

    @classmethod
    def resume(
        cls, out: str | Path, columns: Items[str], info: RunInfo, *, event_columns: Items[str] = ()
    ) -> tuple[ResultWriter, dict[str, Any]]:
        """Go on with an unfinished table from its last checkpoint. What was written after that is deleted.

        Arguments:
            out: as it was given to the writer; and so below.
            columns: the same.
            info: of a run that is equal but for notes.
            event_columns: the same.

        Returns:
            The writer, and the state that was handed to `checkpoint`; empty if there was none yet.

        Raises:
            InputError: there is no unfinished table, or it is of another run.
        """
        out = check_out(out, resume=True)
        folder = parts_of(out)
        if not is_unfinished(out):
            raise InputError(f"{out}: no unfinished table in {str(folder)!r}; leave --resume out")
        progress = Progress.read(folder)
        wanted = {"columns": tuple(columns), "event_columns": tuple(event_columns) or EVENT_COLUMNS}
        differing = progress.info.differences(info)
        differing += [name for name, names in wanted.items() if getattr(progress, name) != names]
        if differing:
            raise InputError(
                f"{folder}: was begun by another run (other {', '.join(differing)}); run it as before, or replace it "
                "with --overwrite (in Python overwrite=True)"
            )
        last = progress.checkpoint
        notes = tuple(dict.fromkeys((*progress.info.notes, *info.notes)))
        progress = dataclasses.replace(
            progress,
            rows=last.rows,
            events=last.events,
            is_done=False,
            info=dataclasses.replace(progress.info, notes=notes),
        )
        with explained(folder, "make it writable"):
            # first what counts, then the deletions: a crash between the two leaves too much, never too little
            progress.write(folder)
            writer = cls.__new__(cls)
            writer._begin(out, progress)
            writer._rows.restore(last.rows)
            writer._events.restore(last.events)
        return writer, dict(last.state)

    def _begin(self, out: Path, progress: Progress) -> None:
        self.out, self.parts = out, parts_of(out)
        self._progress = progress
        self._rows = PartWriter(self.parts, "rows", out.suffix, progress.columns, progress)
        self._events = PartWriter(self.parts, "events", out.suffix, progress.event_columns, progress)
        self._is_open = True

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._rows.count

    @property
    def events(self) -> int:
        """Events so far."""
        return self._events.count

    def write(self, row: Row) -> None:
        """Add a row. Every `part_rows` of them go to the disk, and can be read there from then on."""
        self._check_open()
        self._rows.add(row.as_dict())
        if self._rows.is_full:
            self._save(self._progress.checkpoint)

    def write_event(self, event: EventRow) -> None:
        """Add an event."""
        self._check_open()
        self._events.add(event.as_dict())
        if self._events.is_full:
            self._save(self._progress.checkpoint)

    def checkpoint(self, state: Mapping[str, Any]) -> None:
        """Bring all that was written to the disk, and mark the place: a run can go on from here.

        Arguments:
            state: what the caller needs to go on; whatever JSON holds.
        """
        self._check_open()
        self._save(Checkpoint(rows=self.rows, events=self.events, state=dict(state)))

    def finish(self, *notes: str) -> Results:
        """Join the parts into the table, and the events into theirs; the folder of the parts is then gone.

        A file that somebody else put into the folder stays, and so does the folder.

        Arguments:
            notes: added to those of the info, for what only the run could tell.
        """
        self._check_open()
        info = dataclasses.replace(self._progress.info, notes=(*self._progress.info.notes, *notes))
        self._progress = dataclasses.replace(self._progress, info=info)
        self._save(self._progress.checkpoint, is_done=True)
        self._is_open = False
        with self._kept():
            join_into(self.out, self.parts, self._progress)
            clear_parts(self.parts)
        return read_results(self.out)

    def close(self) -> None:
        """Bring what was written to the disk and stop; the parts stay, can be read, joined, and gone on with."""
        if self._is_open:
            self._save(self._progress.checkpoint)
            self._is_open = False

    def discard(self) -> None:
        """Stop, and delete what was written; a finished table that was to be replaced stays."""
        self._is_open = False
        with explained(self.parts, "delete it yourself"):
            clear_parts(self.parts)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except InputError as other:
            if error is None:
                raise
            error.add_note(str(other))

    def _check_open(self) -> None:
        if not self._is_open:
            raise InputError(f"{self.out}: the writer is closed; go on with ResultWriter.resume")

    def _save(self, checkpoint: Checkpoint, *, is_done: bool = False) -> None:
        """Parts first, and then the progress file that counts them."""
        with self._kept():
            self._rows.flush()
            self._events.flush()
            progress = dataclasses.replace(
                self._progress, rows=self.rows, events=self.events, is_done=is_done, checkpoint=checkpoint
            )
            progress.write(self.parts)
        self._progress = progress

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """After an error of the disk nothing more is written, and the message says what is safe."""
        remedy = f"make room, then go on with --resume (in Python resume=True): {self._progress.rows} rows are kept"
        try:
            with explained(self.parts, remedy):
                yield
        except BaseException:
            self._is_open = False
            raise


def join_parts(out: str | Path, *, overwrite: bool = False) -> Results:
    """What an interrupted run left, as one table; its info then says that it is not complete. The parts are gone.

    Arguments:
        out: the table that the run was to write.
        overwrite: whether a table that is there may be replaced.

    Raises:
        InputError: there are no parts, they are damaged, or the table can't be written.
    """
    out = Path(out)
    folder = parts_of(out)
    progress = Progress.read(folder)
    check_file(out, overwrite=overwrite)
    with explained(out, "make room: the parts are kept"):
        join_into(out, folder, progress)
        clear_parts(folder)
    return read_results(out)
