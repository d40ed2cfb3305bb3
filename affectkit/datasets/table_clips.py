"""Base of the readers of datasets with a row per clip in a table, and a folder of frames per clip."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

from affectkit.datasets.base import ClipsConfig
from affectkit.datasets.clip_index import index_clips, note_spare
from affectkit.datasets.clip_rows import ClipRow
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.notes import Notes
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.tables import Columns, TableRow, find_table, read_table
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index

K = TypeVar("K", bound=ClipsConfig)


class TableClips(Dataset[K]):
    """Joins rows and folders by key. What a dataset has of its own is in the class variables and methods below.

    Attributes:
        columns, optional: names that the table gives its columns, by ours: `subject`, `clip`, `onset`, `apex`,
            `offset`, `aus`, `emotion`.
        folders: the whole name of a clip's folder.
        skipped: names of folders that are not looked into.
        fps: frames per second.
    """

    columns: ClassVar[Columns] = {}
    optional: ClassVar[Columns] = {}
    folders: ClassVar[re.Pattern[str]]
    skipped: ClassVar[re.Pattern[str] | None] = None
    fps: ClassVar[float] = 0.0

    def scan(self, root: Path) -> Index:
        """Samples sorted by key: subject and clip.

        Raises:
            InputError: there is no annotation table, or it has other columns; or no folder of the frames asked for.
            MissingDependencyError: the package that reads the table's format is not installed.
        """
        root = Path(root)
        notes = Notes()
        table = find_table(root, self.tables, self.config.table)
        rows = read_table(table, self.columns, optional=self.optional)
        base = self.find_base(root)
        folders = self._list_folders(base, notes)
        clips = [clip for row in rows if (clip := self._make_row(row, folders, base, notes)) is not None]
        note_spare(folders, {clip.key for clip in clips}, table.name, notes)
        return index_clips(self.config.dataset, clips, self.config, table.name, notes)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names by which the table is found."""
        return self.config.tables

    def find_base(self, root: Path) -> Path:
        """Where the folders of the frames asked for are; `root` itself by default."""
        return root

    def list_paths(self, base: Path) -> list[str]:
        """Paths of the folders of clips, sorted."""
        return find_folders(base, self.folders, skip=self.skipped)

    @abstractmethod
    def folder_key(self, path: str) -> str | None:
        """The key of the clip that a folder holds; None if it is none after all."""

    @abstractmethod
    def row_key(self, cells: Mapping[str, str]) -> str | None:
        """The key of the clip that a row annotates; None if its cells name none."""

    def row_subject(self, cells: Mapping[str, str]) -> str | None:
        """Canonical subject of a row; None if the cell is no spelling of one."""
        return canonical_subject(self.config.dataset, cells["subject"])

    def row_fps(self, cells: Mapping[str, str]) -> float | None:
        """Frames per second of the clip; None if its cell is no number above 0."""
        return self.fps

    def _list_folders(self, base: Path, notes: Notes) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self.list_paths(base):
            key = self.folder_key(path)
            if key is None:
                notes.add_stray(path, base)
            elif found.setdefault(key, path) != path:
                notes.add_second(path, found[key], base, key)
        return found

    def _make_row(self, row: TableRow, folders: Mapping[str, str], base: Path, notes: Notes) -> ClipRow | None:
        cells = row.cells
        key, subject = self.row_key(cells), self.row_subject(cells)
        if key is None or subject is None:
            named = ", ".join(repr(cells.get(name, "")) for name in ("subject", "clip") if name in cells)
            notes.add("error", row.where, f"{named} names no clip of {self.config.dataset}; mend the row")
            return None
        fps = self.row_fps(cells)
        if fps is None:
            notes.add("error", row.where, f"fps is {cells['fps']!r}; write frames per second, above 0", key)
            return None
        return ClipRow(
            where=row.where,
            key=key,
            subject=subject,
            emotion=cells["emotion"],
            folder=folders.get(key),
            expected=f"clip {key} below {base.name}",
            fps=fps,
            onset=cells.get("onset"),
            apex=cells.get("apex"),
            offset=cells.get("offset"),
            aus=cells.get("aus", ""),
            raw=row.raw,
        )


def find_tree(root: Path, names: tuple[str, ...], field: str) -> Path:
    """The first folder of these names directly below `root`, whatever its case.

    Raises:
        InputError: there is none; the message says which field chooses another.
    """
    folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    for name in names:
        if name.lower() in folders:
            return folders[name.lower()]
    raise InputError(f"{root}: no folder {' or '.join(map(repr, names))}; unpack it there, or say other {field}=")
