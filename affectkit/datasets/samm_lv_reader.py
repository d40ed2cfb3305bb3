"""Reader of `samm-lv`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import final

from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes
from affectkit.datasets.samm import SammConfig
from affectkit.datasets.samm_lv import SammLongConfig
from affectkit.datasets.tables import Columns, TableRow, find_table, find_tables, read_table
from affectkit.datasets.video_rows import EventRow, Video, index_videos
from affectkit.interfaces import Dataset
from affectkit.records import EventKind, Index

_FOLDER = re.compile(r"\d{3}_\d+")
_COLUMNS: Columns = {
    "clip": ("Filename",),
    "onset": ("Onset", "Onset Frame"),
    "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"),
    "type": ("Type",),
}
_FPS = 200.0


@final
class SammLong(Dataset[SammLongConfig]):
    """One sample per video."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `006_1`.

        Raises:
            InputError: no table, or one with other columns.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        words = _read_words(root, table.name, notes)
        rows = [event for row in read_table(table, _COLUMNS) if (event := _read(row, words, notes)) is not None]
        videos = _list_videos(root, notes)
        return index_videos(
            "samm-lv", videos, rows, apex=self.config.apex, table=table.name, notes=notes, zero_onset_is_unknown=True
        )


def _list_videos(root: Path, notes: Notes) -> list[Video]:
    found: dict[str, Video] = {}
    # SAMM's own clips lie in folders that are called by subject
    for path in find_folders(root, _FOLDER, skip=re.compile(r"\d{3}")):
        key = os.path.basename(path)
        video = Video(key=key, subject=f"samm/{key[:3]}", folder=path, fps=_FPS)
        if found.setdefault(key, video) is not video:
            notes.add_second(path, found[key].folder, root, key)
    return list(found.values())


def _read(row: TableRow, words: dict[str, str], notes: Notes) -> EventRow | None:
    clip, kind = row.cells["clip"], _kind(row.cells["type"])
    if kind is None or clip.count("_") < 2:
        fact = f"{clip!r} of type {row.cells['type']!r} is no event; write 006_1_2, and Macro or Micro"
        notes.add("error", row.where, fact)
        return None
    return EventRow(
        where=row.where,
        video="_".join(clip.split("_")[:2]),
        kind=kind,
        onset=row.cells["onset"],
        apex=row.cells["apex"],
        offset=row.cells["offset"],
        label=words.get(clip) if kind == "micro-expression" else None,
        raw=row.raw,
    )


def _kind(text: str) -> EventKind | None:
    if text.lower().startswith("macro"):
        return "macro-expression"
    return "micro-expression" if text.lower().startswith("micro") else None


def _read_words(root: Path, table: str, notes: Notes) -> dict[str, str]:
    """Emotion by clip, from the table of SAMM beside ours; a macro-expression may have the name of a clip of SAMM."""
    found = find_tables(root, SammConfig.tables)
    if len(found) != 1:
        notes.add("info", table, f"{len(found)} tables of SAMM beside it: events have no labels; put one there")
        return {}
    rows = read_table(found[0], {"clip": ("Filename",), "emotion": ("Estimated Emotion", "Emotion")})
    return {row.cells["clip"]: row.cells["emotion"] for row in rows}
