"""Reader of `ferv39k`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.ferv39k import CODES, Ferv39kConfig
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, find_frames, make_labeled
from affectkit.datasets.lists import read_list
from affectkit.datasets.notes import Notes
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index

_WORDS = {str(code): word for code, word in enumerate(CODES)}
_CLIPS = "2_ClipsforFaceCrop"
_LISTS = "4_setups/All_scenes"


@final
class Ferv39k(Dataset[Ferv39kConfig]):
    """One sample per line of the lists."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `Action/Happy/0267`.

        Raises:
            InputError: a list is not there, or no folder of clips.
        """
        root, notes = Path(root), Notes()
        halves = ("train", "test") if self.config.split == "all" else (self.config.split,)
        rows = [row for half in halves for row in self._rows(root, half, notes)]
        return index_rows("ferv39k", rows, self.config, _LISTS, notes, make=make_labeled)

    def _rows(self, root: Path, half: str, notes: Notes) -> Iterator[LabeledRow]:
        table, base = root / _LISTS / f"{half}_All.csv", root / _CLIPS
        if table.is_file() and not base.is_dir():
            raise InputError(f"{base}: no such folder; unpack the clips there")
        folders = FileTree(base)
        for line in read_list(table, notes):
            before, key, path = len(notes.issues), line.name, folders.find(line.name)
            word = _WORDS.get(line.label, line.label)
            if not self._is_of_folder(word, key):
                fact = f"label {line.label!r}, {word}, of a clip in {key!r}; the list counts, but check where it begins"
                notes.add("warning", line.where, fact, key)
            source = find_frames(None if path is None else str(path), line.where, key, notes)
            yield LabeledRow(
                where=line.where,
                key=key,
                emotion=word,
                source=source,
                expected=f"frames of clip {key} below {_CLIPS}",
                raw={"clip": key, "label": line.label, "split": half},
                issues=notes.since(before),
            )

    def _is_of_folder(self, word: str, key: str) -> bool:
        """Whether the label is that of `Scene/Emotion/clip`; True where either can't be told."""
        words = self.config.label_map.words
        own = words.get(key.split("/")[-2].lower()) if "/" in key else None
        return own is None or words.get(word.lower(), own) == own
