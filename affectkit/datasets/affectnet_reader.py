"""Reader of `affectnet`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.affect_values import parse_affect
from affectkit.datasets.affectnet import CODES, AffectNetConfig
from affectkit.datasets.affectnet_annotations import Annotation, read_arrays, read_table
from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.file_tree import FileTree
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.notes import Notes
from affectkit.interfaces import Dataset
from affectkit.records import ImageSource, Index

_FOLDERS = {"train": "train_set", "validation": "val_set"}
_TABLES = {"train": "training.csv", "validation": "validation.csv"}
_WORDS = {str(code): word for code, word in enumerate(CODES)}


@final
class AffectNet(Dataset[AffectNetConfig]):
    """One sample per annotated picture on disk."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key: `train/12` of the current release, `train/689/c2` of the original one.

        Raises:
            InputError: the folders or tables of a half that was asked for are not there, or can't be read.
        """
        root, notes = Path(root), Notes()
        halves = tuple(_FOLDERS) if self.config.split == "all" else (self.config.split,)
        rows = (row for half in halves for row in self._rows(root, half, notes))
        return index_rows("affectnet", rows, self.config, root.name, notes, make=make_labeled, noun="picture")

    def _rows(self, root: Path, half: str, notes: Notes) -> Iterator[LabeledRow]:
        found: Iterable[Annotation]
        if self.config.release == "current":
            pictures = FileTree(root / _FOLDERS[half] / "images")
            found = read_arrays(root / _FOLDERS[half], notes)
        else:
            pictures = FileTree(root / "Manually_Annotated_Images")
            found = read_table(root / "Manually_Annotated_file_lists" / _TABLES[half], notes)
        for one in found:
            path, key = pictures.find(one.picture), f"{half}/{one.picture.rpartition('.')[0]}"
            before = len(notes.issues)
            affect = parse_affect(one.valence, one.arousal, one.where, key, notes)
            own = {"expression": one.expression, "valence": one.valence, "arousal": one.arousal, "split": half}
            yield LabeledRow(
                where=one.where,
                key=key,
                emotion=_WORDS.get(one.expression, one.expression),
                source=None if path is None else ImageSource(path=path),
                expected=f"picture {one.picture}",
                targets={self.config.va: affect},
                raw={**one.raw, **own},
                issues=notes.since(before),
            )
