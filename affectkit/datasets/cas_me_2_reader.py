"""Reader of `cas-me-2`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import final

from affectkit.datasets.cas_me_2 import CasMeSquaredConfig
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import find_tree
from affectkit.datasets.tables import find_table, read_book
from affectkit.datasets.video_rows import EventRow, Video, index_videos
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import EventKind, Index

_FOLDER = re.compile(r"\d+_(\d{4}).*")
_KINDS: Mapping[str, EventKind] = {
    "macro-expression": "macro-expression",
    "micro-expression": "micro-expression",
}
_FIELDS = ("subject", "video", "onset", "apex", "offset", "action units", "emotion", "type", "self report")
_FPS = 30.0


@final
class CasMeSquared(Dataset[CasMeSquaredConfig]):
    """One sample per video; `label` of an event is its emotion: negative, positive, surprise, others."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `s15/0101`: subject's folder and code of the video.

        Raises:
            InputError: no table, or one without its three sheets; or no folder of the frames asked for.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        sheets = list(read_book(table).values())
        if len(sheets) < 3:
            raise InputError(
                f"{table}: {len(sheets)} sheets; give the official table, with events and two naming rules in three"
            )
        people = {row[2]: row[1] for row in sheets[1] if len(row) > 2}
        codes = {row[1]: row[0].zfill(4) for row in sheets[2] if len(row) > 1}
        rows = [
            event
            for number, cells in enumerate(sheets[0], start=1)
            if any(cells) and (event := _read(f"{table.name} row {number}", cells, people, codes, notes)) is not None
        ]
        videos = list_videos(find_tree(root, (self.config.frames,), "frames"), notes)
        return index_videos("cas-me-2", videos, rows, apex=self.config.apex, table=table.name, notes=notes)


def list_videos(base: Path, notes: Notes) -> list[Video]:
    """Folders such as `s15/15_0101disgustingteeth`, with what is odd about them noted."""
    found: dict[str, Video] = {}
    for path in find_folders(base, _FOLDER):
        parent, name = Path(path).parts[-2:]
        code, subject = _FOLDER.fullmatch(name), canonical_subject("cas-me-2", parent)
        if code is None or subject is None:
            notes.add_stray(path, base)
            continue
        video = Video(key=f"{parent}/{code[1]}", subject=subject, folder=path, fps=_FPS)
        if found.setdefault(video.key, video) is not video:
            notes.add_second(path, found[video.key].folder, base, video.key)
    return list(found.values())


def _read(
    where: str, cells: list[str], people: Mapping[str, str], codes: Mapping[str, str], notes: Notes
) -> EventRow | None:
    raw = dict(zip(_FIELDS, [*cells, *[""] * len(_FIELDS)], strict=False))
    person, code = people.get(raw["subject"]), codes.get(raw["video"].partition("_")[0])
    kind = _KINDS.get(raw["type"].lower())
    for what, found in (("subject", person), ("video", code), ("type", kind)):
        if found is None:
            rules = "the naming rules know it not" if what != "type" else "it is no macro- or micro-expression"
            notes.add("error", where, f"{what} {raw[what]!r}: {rules}; mend the row")
            return None
    assert kind is not None
    return EventRow(
        where=where,
        video=f"{person}/{code}",
        kind=kind,
        onset=raw["onset"],
        apex=raw["apex"],
        offset=raw["offset"],
        label=raw["emotion"],
        raw=raw,
    )
