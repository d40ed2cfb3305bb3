"""Reader of `mafw`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.lists import read_list
from affectkit.datasets.mafw import MafwConfig
from affectkit.datasets.notes import Notes
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index, VideoSource

_LISTS = ("split", "Train & Test Set")
_CLIPS = "data/clips"


@final
class Mafw(Dataset[MafwConfig]):
    """One sample per line of the fold's lists."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `00151`.

        Raises:
            InputError: a list of the fold is not there, or no folder of clips.
        """
        root, notes = Path(root), Notes()
        base = next((root / name for name in _LISTS if (root / name).is_dir()), root / _LISTS[0])
        lists = base / "single" / "no_caption" / f"set_{self.config.fold}"
        if lists.is_dir() and not (root / _CLIPS).is_dir():
            raise InputError(f"{root / _CLIPS}: no such folder; unpack the clips there")
        halves = ("train", "test") if self.config.split == "all" else (self.config.split,)
        clips = FileTree(root / _CLIPS)
        rows = [row for half in halves for row in _rows(lists / f"{half}.txt", half, clips, notes)]
        return index_rows("mafw", rows, self.config, lists.name, notes, make=make_labeled)


def _rows(table: Path, half: str, clips: FileTree, notes: Notes) -> Iterator[LabeledRow]:
    for line in read_list(table, notes):
        path = clips.find(line.name)
        yield LabeledRow(
            where=line.where,
            key=line.name.rpartition(".")[0] or line.name,
            # compound ones are joined as the maps join words
            emotion=line.label.replace("_", "+"),
            source=None if path is None else VideoSource(path=path),
            expected=f"clip {line.name} below {_CLIPS}",
            raw={"clip": line.name, "label": line.label, "split": half},
        )
