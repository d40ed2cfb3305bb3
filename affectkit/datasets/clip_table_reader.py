"""Reader of `clip-table`."""

from __future__ import annotations

from pathlib import Path
from typing import final

from affectkit.datasets.apexes import ApexSource
from affectkit.datasets.base import ClipsConfig
from affectkit.datasets.clip_index import index_clips
from affectkit.datasets.clip_rows import ClipRow, make_label, make_sample
from affectkit.datasets.clip_table import ClipTableConfig
from affectkit.datasets.notes import Notes
from affectkit.datasets.tables import Columns, TableRow, find_table, parse_fps, parse_seconds, read_table
from affectkit.interfaces import Dataset
from affectkit.records import Event, Index, Sample, VideoSource

_COLUMNS: Columns = {"path": ("path",), "subject": ("subject",), "label": ("label",)}
_OPTIONAL: Columns = {name: (name,) for name in ("onset", "apex", "offset", "fps")}


@final
class ClipTable(Dataset[ClipTableConfig]):
    """One sample per row."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key.

        Raises:
            InputError: no table, or one without the columns path, subject and label.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        rows = read_table(table, _COLUMNS, optional=_OPTIONAL)
        clips = [clip for row in rows if (clip := self._read(row, table.parent, notes)) is not None]
        return index_clips("clip-table", clips, self.config, table.name, notes, make=_make)

    def _read(self, row: TableRow, root: Path, notes: Notes) -> ClipRow | None:
        name, subject = row.cells["path"], row.cells["subject"]
        onset, apex, offset, rate = (row.cells.get(key, "") for key in _OPTIONAL)
        for what, cell in (("path", name), ("subject", subject)):
            if not cell:
                notes.add("error", row.where, f"no {what}; write one")
                return None
        key = f"{name}@{onset}" if onset else name
        if bool(onset) != bool(offset):
            fact = f"onset is {onset!r} and offset {offset!r}; write both, or none for all that is there"
            notes.add("error", row.where, fact, key)
            return None
        path = root / name
        fps = parse_fps(rate) if rate else self.config.fps
        if path.is_dir() and fps is None:
            fact = f"fps is {rate!r}; write frames per second, above 0, or say fps="
            notes.add("error", row.where, fact, key)
            return None
        return ClipRow(
            where=row.where,
            key=key,
            subject=f"{self.config.prefix}/{subject}",
            emotion=row.cells["label"],
            folder=str(path) if path.exists() else None,
            expected=f"frames, and no video, {name!r}",
            fps=fps or 0.0,
            onset=onset or None,
            apex=apex or None,
            offset=offset or None,
            kind=self.config.shows,
            raw=row.raw,
        )


def _make(dataset: str, row: ClipRow, config: ClipsConfig, notes: Notes) -> Sample | None:
    """A sample of frames, or of a video, whose moments are seconds."""
    if row.folder is None or Path(row.folder).is_dir():
        return make_sample(dataset, row, config, notes)
    before = len(notes.issues)
    onset, apex, offset = (parse_seconds(text or "") for text in (row.onset, row.apex, row.offset))
    for what, seconds, text in (("onset", onset, row.onset), ("apex", apex, row.apex), ("offset", offset, row.offset)):
        if text and seconds is None:
            notes.add("error", row.where, f"{what} is {text!r}; write seconds, from 0, for a video", row.key)
            return None
    if onset is not None and offset is not None and offset < onset:
        notes.add("error", row.where, f"offset {offset:g} s is before onset {onset:g} s; mend the row", row.key)
        return None
    events: tuple[Event, ...] = ()
    if onset is not None and offset is not None:
        if apex is not None and not onset <= apex <= offset:
            fact = f"apex {apex:g} s is outside {onset:g} to {offset:g} s; it counts as missing"
            notes.add("warning", row.where, fact, row.key)
            apex = None
        source: ApexSource = "annotated" if apex is not None else "missing"
        if apex is None and config.apex == "middle":
            apex, source = (onset + offset) / 2, "middle"
        events = (Event(kind=row.kind, onset=onset, apex=apex, offset=offset, label=row.emotion, apex_source=source),)
    return Sample(
        dataset=dataset,
        subject=row.subject,
        key=row.key,
        source=VideoSource(path=Path(row.folder), start=onset, stop=offset),
        events=events,
        targets={config.target: make_label(row.where, row.emotion, config, notes, row.key)},
        raw=row.raw,
        issues=notes.since(before),
    )
