"""Reader of `dfew`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.dfew import CODES, DfewConfig
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, find_frames, make_labeled
from affectkit.datasets.notes import Notes
from affectkit.datasets.tables import Columns, parse_frame, read_table
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index

_WORDS = {str(code): word for code, word in enumerate(CODES, start=1)}
_COLUMNS: Columns = {"video": ("video_name",), "label": ("label",)}
# Table and clips, in the two ways in which the release is handed out.
_LAYOUTS = (
    ("EmoLabel_DataSplit/{}(single-labeled)/set_{}.csv", "Clip/clip_224x224"),
    ("data_affine/single_label/label/single_{}set_{}.csv", "data_affine/single_label/data"),
)


@final
class Dfew(Dataset[DfewConfig]):
    """One sample per row of the fold's tables."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `00001`.

        Raises:
            InputError: a table of the fold is not there, or has other columns; or no folder of clips.
        """
        root, notes = Path(root), Notes()
        halves = ("train", "test") if self.config.split == "all" else (self.config.split,)
        rows = [row for half in halves for row in self._rows(root, half, notes)]
        where = f"fold {self.config.fold}"
        return index_rows("dfew", rows, self.config, where, notes, make=make_labeled)

    def _rows(self, root: Path, half: str, notes: Notes) -> Iterator[LabeledRow]:
        tables = [(root / name.format(half, self.config.fold), clips) for name, clips in _LAYOUTS]
        table, usual = next((one for one in tables if one[0].is_file()), tables[0])
        if not table.is_file():
            raise InputError(f"{table}: no such file; unpack it there, or say other fold= or split=")
        base = root / (self.config.clips or usual)
        if not base.is_dir():
            raise InputError(f"{base}: no such folder; unpack the clips there, or say clips=")
        folders = FileTree(base)
        for row in read_table(table, _COLUMNS):
            before, where = len(notes.issues), f"{table.parent.name}/{row.where}"
            number, label = parse_frame(row.cells["video"]), row.cells["label"]
            if number is None or number < 0:
                notes.add("error", where, f"{row.cells['video']!r} is no number of a clip; mend the row")
                continue
            # a table read and saved by a spreadsheet has lost the zeros
            key = f"{number:05d}"
            path = folders.find(key)
            source = find_frames(None if path is None else str(path), where, key, notes)
            yield LabeledRow(
                where=where,
                key=key,
                emotion=_WORDS.get(label, label),
                source=source,
                expected=f"frames of clip {key} below {base.name}",
                raw={**row.raw, "split": half},
                issues=notes.since(before),
            )
