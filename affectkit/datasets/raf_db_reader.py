"""Reader of `raf-db` and `raf-db-compound`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.lists import read_list
from affectkit.datasets.notes import Notes
from affectkit.datasets.raf_db import RafDbPartConfig
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import ImageSource, Index

_LIST = "EmoLabel/list_patition_label.txt"
_PARTS = ("basic", "compound")


@final
class RafDb(Dataset[RafDbPartConfig]):
    """One sample per line of the list whose picture is on disk."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `train_00001`.

        Raises:
            InputError: the folder is the other part's; no list, or no folder of the pictures asked for.
        """
        root, notes, config = Path(root), Notes(), self.config
        # the lists look alike, and a label of the one is another class in the other
        if root.name in _PARTS and root.name != config.part:
            raise InputError(f"{root}: is the {root.name} part; read it as {config.other}, or give the folder above it")
        base = root / config.part if (root / config.part).is_dir() else root
        table = base / (config.table or _LIST)
        folder = base / "Image" / config.pictures
        if table.is_file() and not folder.is_dir():
            raise InputError(f"{folder}: no such folder; unpack it there, or say other pictures=")
        rows = self._rows(table, FileTree(folder), notes)
        return index_rows(config.dataset, rows, config, table.name, notes, make=make_labeled, noun="picture")

    def _rows(self, table: Path, pictures: FileTree, notes: Notes) -> Iterator[LabeledRow]:
        words = {str(code): word for code, word in enumerate(self.config.codes, start=1)}
        for line in read_list(table, notes):
            half = line.name.partition("_")[0]
            key, _, ending = line.name.rpartition(".")
            if half not in ("train", "test") or not key:
                fact = f"{line.name!r} is no picture of train or test; take the list as it was released"
                notes.add("error", line.where, fact)
                continue
            if self.config.split not in ("all", half):
                continue
            name = f"{key}_aligned.{ending}" if self.config.pictures == "aligned" else line.name
            path = pictures.find(name)
            yield LabeledRow(
                where=line.where,
                key=key,
                emotion=words.get(line.label, line.label),
                source=None if path is None else ImageSource(path=path),
                expected=f"picture {name}",
                raw={"name": line.name, "label": line.label, "split": half},
            )
