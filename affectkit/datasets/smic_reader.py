"""Reader of `smic`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_clips
from affectkit.datasets.clip_rows import ClipRow, make_label
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.smic import SmicConfig
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.tables import TableRow, find_table, read_table
from affectkit.datasets.video_rows import EventRow, Video, index_videos
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index

_CLIP = re.compile(r"s0*(\d+)_(ne|po|sur)_0*(\d+)", re.IGNORECASE)
_NON_MICRO = re.compile("non_micro", re.IGNORECASE)
_WORDS = {"ne": "negative", "po": "positive", "sur": "surprise"}
_TREES = {"cropped": "SMIC_all_cropped", "original": "SMIC_all_raw", "long": "SMIC-E_raw image"}
_FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
_INTERVALS = (("onset", "offset"), ("onset2", "offset2"), ("onset3", "offset3"))


@final
class Smic(Dataset[SmicConfig]):
    """One sample per folder of a clip."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `s01_ne_01`, padded as in the list of MEGC 2019.

        Raises:
            InputError: no folder of the part and the frames asked for; or, of the long version, no table or another.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root = Path(root)
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; give the folder that holds the dataset")
        notes = Notes()
        base = self._find_part(root)
        folders: dict[str, str] = {}
        for path in find_folders(base, _CLIP, skip=_NON_MICRO):
            key = clip_key(os.path.basename(path)) or path
            if folders.setdefault(key, path) != path:
                notes.add_second(path, folders[key], base, key)
        if not folders:
            raise InputError(f"{base}: no folder of a clip, such as 's01_ne_01'; unpack them there")
        return (
            self._scan_long(root, folders, notes) if self.config.frames == "long" else self._scan(folders, base, notes)
        )

    def _find_part(self, root: Path) -> Path:
        part, tree = self.config.part, _TREES[self.config.frames]
        names = (part, f"{part}_long") if self.config.frames == "long" else (part,)
        for folder in (root / tree, root):
            for name in names:
                if (folder / name).is_dir():
                    return folder / name
        raise InputError(f"{root}: no folder {f'{tree}/{names[-1]}'!r}; unpack it there, or say other part= or frames=")

    def _scan(self, folders: dict[str, str], base: Path, notes: Notes) -> Index:
        rows = []
        for key, path in folders.items():
            where = str(Path(path).relative_to(base))
            word = _WORDS[key.split("_")[1]]
            above = os.path.basename(os.path.dirname(path)).lower()
            if above in _WORDS.values() and above != word:
                notes.add("warning", where, f"lies in {above!r}, though its name says {word}; the name counts", key)
            rows.append(
                ClipRow(
                    where=where,
                    key=key,
                    subject=_subject(key),
                    emotion=word,
                    folder=path,
                    expected=f"clip {key}",
                    fps=_FPS[self.config.part],
                    raw={"folder": where},
                )
            )
        return index_clips("smic", rows, self.config, base.name, notes)

    def _scan_long(self, root: Path, folders: dict[str, str], notes: Notes) -> Index:
        table = find_table(root, self.config.tables, self.config.table)
        columns = {"clip": ("Filename",), "onset": ("OnsetF",), "offset": ("OffsetF",)}
        optional = {
            "onset2": ("Onset2F",), "offset2": ("Offset2F",), "onset3": ("Onset3F",), "offset3": ("Offset3F",),
            "emotion": ("Emotion",),
        }  # fmt: skip
        sheet = "" if table.suffix.lower() == ".csv" else self.config.part
        rows = read_table(table, columns, optional=optional, sheet=sheet)
        clips = [row for row in rows if _CLIP.fullmatch(row.cells["clip"])]
        if text := [row for row in rows if row not in clips]:
            fact = (
                f"{counted(len(text), 'row')} without the name of a clip: {named(row.where for row in text)}; left out"
            )
            notes.add("info", table.name, fact)
        fps = _FPS[self.config.part]
        videos = [Video(key=key, subject=_subject(key), folder=path, fps=fps) for key, path in folders.items()]
        events = [event for row in clips for event in _events(row)]
        index = index_videos("smic", videos, events, apex=self.config.apex, table=table.name, notes=notes)
        labeled = [
            replace(one, targets={self.config.target: make_label(one.key, one.key.split("_")[1], self.config, notes)})
            for one in index
        ]
        return Index(samples=tuple(labeled), issues=index.issues)


def clip_key(name: str) -> str | None:
    """`s01_ne_01` for every spelling of a clip's name; None if it is no name of a clip."""
    found = _CLIP.fullmatch(name)
    return f"s{int(found[1]):02d}_{found[2].lower()}_{int(found[3]):02d}" if found else None


def _subject(key: str) -> str:
    return canonical_subject("smic", key.split("_")[0]) or key


def _events(row: TableRow) -> Iterator[EventRow]:
    key = clip_key(row.cells["clip"]) or ""
    for onset, offset in _INTERVALS:
        first = row.cells.get(onset, "")
        # a clip has one event, or two or three
        if onset == "onset" or first:
            yield EventRow(
                where=row.where,
                video=key,
                kind="micro-expression",
                onset=first,
                apex="",
                offset=row.cells.get(offset, ""),
                label=_WORDS[key.split("_")[1]],
                raw=row.raw,
            )
