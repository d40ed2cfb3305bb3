"""Reader of `cas-me-3`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import final

from affectkit.datasets.cas_me_3 import CasMeCubedConfig
from affectkit.datasets.clip_index import index_clips, note_spare
from affectkit.datasets.clip_rows import ClipRow
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import find_tree
from affectkit.datasets.tables import Columns, TableRow, find_table, find_tables, read_table
from affectkit.datasets.video_rows import EventRow, Video, index_videos
from affectkit.interfaces import Dataset
from affectkit.records import Index

_TIMES: Columns = {
    "subject": ("Subject",),
    "video": ("Filename",),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
}
_PART_A: Columns = {**_TIMES, "emotion": ("emotion",)}
_JOINT: Columns = {**_TIMES, "type": ("Expression type",)}
_PART_C: Columns = {
    "subject": ("sub",),
    "video": ("count",),
    "onset": ("onset",),
    "offset": ("offset",),
    "emotion": ("emotion",),
}
_AUS: Columns = {"aus": ("AU",)}
_COLOR = re.compile("color", re.IGNORECASE)
_DEPTH = re.compile("depth", re.IGNORECASE)
_CLIP = re.compile(r"spNO\.(\d+)_([a-z])_(\d+)", re.IGNORECASE)
_FPS = 30.0


@final
class CasMeCubed(Dataset[CasMeCubedConfig]):
    """One sample per micro-expression, or per video of part A."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key: `001/a/355` (subject, video, onset), `001/a` of a video, `c01/1` of part C.

        Raises:
            InputError: no table that is needed, or one with other columns; or no folder of the frames asked for.
            MissingDependencyError: the package that reads a table's format is not installed.
        """
        root, notes = Path(root), Notes()
        if self.config.part == "C":
            return self._scan_c(root, notes)
        return self._scan_videos(root, notes) if self.config.unit == "video" else self._scan_a(root, notes)

    def _scan_a(self, root: Path, notes: Notes) -> Index:
        table = find_table(root, self.config.tables, self.config.table)
        rows = read_table(table, _PART_A, optional=_AUS)
        joint = self._read_joint(root, table.name, notes)
        is_long = self.config.frames == "long"
        tree = find_tree(root, ("data" if is_long else "frame",), "frames")
        folders = _long_folders(tree, notes) if is_long else _clip_folders(tree, notes)
        clips = list(self._join(rows, joint, folders, tree.name, notes))
        if not is_long:
            note_spare(folders, {clip.key for clip in clips}, table.name, notes)
        return index_clips("cas-me-3", clips, self.config, table.name, notes)

    def _join(
        self, rows: list[TableRow], joint: dict[str, TableRow], folders: Mapping[str, str], tree: str, notes: Notes
    ) -> Iterator[ClipRow]:
        """Emotions of the one table, times of the other; rows that are in one of them alone are noted."""
        micro = {key: row for key, row in joint.items() if row.cells["type"].lower().startswith("micro")}
        for row in rows:
            key = _event_key(row, notes)
            if key is None:
                continue
            times = micro.pop(key, None)
            if joint and times is None:
                notes.add("warning", row.where, "not in the table of times; its own count", key)
            yield self._clip(key, row, times or row, folders, tree)
        for key, row in micro.items():
            notes.add("warning", row.where, "not in the table of emotions, so its label is not valid", key)
            yield self._clip(key, row, row, folders, tree)

    def _clip(self, key: str, row: TableRow, times: TableRow, folders: Mapping[str, str], tree: str) -> ClipRow:
        place = key.rpartition("/")[0] if self.config.frames == "long" else key
        return ClipRow(
            where=row.where,
            key=key,
            subject=f"cas-me-3/{key.partition('/')[0]}",
            emotion=row.cells.get("emotion", ""),
            folder=folders.get(place),
            expected=f"{place} below {tree}",
            fps=_FPS,
            onset=times.cells["onset"],
            apex=times.cells["apex"],
            offset=times.cells["offset"],
            aus=row.cells.get("aus", ""),
            raw=row.raw,
        )

    def _read_joint(self, root: Path, table: str, notes: Notes) -> dict[str, TableRow]:
        if self.config.joint is None and not find_tables(root, self.config.joint_tables):
            notes.add("info", table, "no table of times beside it: its own count; put CAS(ME)3_part_A_v2 there")
            return {}
        path = find_table(root, self.config.joint_tables, self.config.joint, field="joint")
        rows = read_table(path, _JOINT, optional=_AUS)
        return {key: row for row in rows if (key := _event_key(row, notes)) is not None}

    def _scan_videos(self, root: Path, notes: Notes) -> Index:
        path = find_table(root, self.config.joint_tables, self.config.joint, field="joint")
        rows = read_table(path, _JOINT, optional=_AUS)
        emotions = {}
        if self.config.table is not None or find_tables(root, self.config.tables):
            table = find_table(root, self.config.tables, self.config.table)
            for row in read_table(table, _PART_A):
                if key := _event_key(row, notes):
                    emotions[key] = row.cells["emotion"]
        else:
            notes.add("info", path.name, "no table of emotions beside it, so events have no labels; put it there")
        events = [
            EventRow(
                where=row.where,
                video=key.rpartition("/")[0],
                kind="micro-expression" if row.cells["type"].lower().startswith("micro") else "macro-expression",
                onset=row.cells["onset"],
                apex=row.cells["apex"],
                offset=row.cells["offset"],
                label=emotions.get(key),
                raw=row.raw,
            )
            for row in rows
            if (key := _event_key(row, notes)) is not None
        ]
        videos = [
            Video(key=key, subject=f"cas-me-3/{key.partition('/')[0]}", folder=folder, fps=_FPS)
            for key, folder in _long_folders(find_tree(root, ("data",), "frames"), notes).items()
        ]
        return index_videos("cas-me-3", videos, events, apex=self.config.apex, table=path.name, notes=notes)

    def _scan_c(self, root: Path, notes: Notes) -> Index:
        table = find_table(root, self.config.tables_of_c, self.config.table)
        tree = find_tree(root, ("ME_C",), "part")
        folders = _part_c_folders(tree, notes)
        clips = []
        for row in read_table(table, _PART_C, optional=_AUS):
            cells = row.cells
            if not (cells["subject"].isdecimal() and cells["video"].isdecimal()):
                fact = f"{cells['subject']!r}, {cells['video']!r} names no clip of part C; mend the row"
                notes.add("error", row.where, fact)
                continue
            key = f"c{int(cells['subject']):02d}/{int(cells['video'])}"
            clips.append(
                ClipRow(
                    where=row.where,
                    key=key,
                    subject=f"cas-me-3/{key.partition('/')[0]}",
                    emotion=cells["emotion"],
                    folder=folders.get(key),
                    expected=f"clip {key} below {tree.name}",
                    fps=_FPS,
                    onset=cells["onset"],
                    offset=cells["offset"],
                    aus=cells.get("aus", ""),
                    raw=row.raw,
                )
            )
        note_spare(folders, {clip.key for clip in clips}, table.name, notes)
        return index_clips("cas-me-3", clips, self.config, table.name, notes)


def _event_key(row: TableRow, notes: Notes) -> str | None:
    """`001/a/355`; the letter in lower case, since one folder is called `J`."""
    person = canonical_subject("cas-me-3", row.cells["subject"])
    if person is None or not row.cells["video"]:
        fact = f"{row.cells['subject']!r}, {row.cells['video']!r} names no video; mend the row"
        notes.add("error", row.where, fact)
        return None
    return f"{person.partition('/')[2]}/{row.cells['video'].lower()}/{row.cells['onset']}"


def _long_folders(tree: Path, notes: Notes) -> dict[str, str]:
    def key(path: Path) -> str | None:
        subject, letter = path.parts[-3:-1]
        person = canonical_subject("cas-me-3", subject)
        return None if person is None else f"{person.partition('/')[2]}/{letter.lower()}"

    return _by_key(tree, find_folders(tree, _COLOR, skip=_DEPTH), key, notes)


def _clip_folders(tree: Path, notes: Notes) -> dict[str, str]:
    def key(path: Path) -> str | None:
        name = _CLIP.fullmatch(path.name)
        return None if name is None else f"{int(name[1]):03d}/{name[2].lower()}/{int(name[3])}"

    return _by_key(tree, find_folders(tree, _CLIP), key, notes)


def _part_c_folders(tree: Path, notes: Notes) -> dict[str, str]:
    def key(path: Path) -> str | None:
        subject, count = path.parts[-3:-1]
        is_clip = subject.isdecimal() and count.isdecimal()
        return f"c{int(subject):02d}/{int(count)}" if is_clip else None

    return _by_key(tree, find_folders(tree, _COLOR, skip=_DEPTH), key, notes)


def _by_key(tree: Path, paths: list[str], key: Callable[[Path], str | None], notes: Notes) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        own = key(Path(path))
        if own is None:
            notes.add_stray(path, tree)
        elif found.setdefault(own, path) != path:
            notes.add_second(path, found[own], tree, own)
    return found
