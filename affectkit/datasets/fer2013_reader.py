"""Reader of `fer2013`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.fer2013 import CODES, Fer2013Config
from affectkit.datasets.fer2013_pixels import SIDE, SPLITS, check_array, read_pixel_rows
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.notes import Notes
from affectkit.datasets.tables import find_table
from affectkit.interfaces import Dataset
from affectkit.records import Index

_WORDS = {str(code): word for code, word in enumerate(CODES)}


@final
class Fer2013(Dataset[Fer2013Config]):
    """One sample per row of the table."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `00000`. Before the pixels are unpacked, it finds the same samples, with a warning.

        Raises:
            InputError: no table, or another; or an array of another table.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        rows = list(self._rows(table, notes))
        return index_rows("fer2013", rows, self.config, table.name, notes, make=make_labeled, noun="picture")

    def _rows(self, table: Path, notes: Notes) -> Iterator[LabeledRow]:
        found = [
            # the pixels of a row are text of 8 kB
            (row.index, row.where, row.emotion, row.usage, row.count)
            for row in read_pixel_rows(table)
        ]
        array = check_array(table.parent, len(found), notes)
        for index, where, emotion, usage, count in found:
            key, split = f"{index:05d}", SPLITS.get(usage)
            if split is None or count != SIDE * SIDE:
                fact = f"usage {usage!r} and {count} pixels; expected one of {', '.join(SPLITS)}, and {SIDE * SIDE}"
                notes.add("error", where, fact, key)
            elif self.config.split in ("all", split) and (source := array.find(index, where, key, notes)) is not None:
                yield LabeledRow(
                    where=where,
                    key=key,
                    emotion=_WORDS.get(emotion, emotion),
                    source=source,
                    expected=f"picture {key}",
                    raw={"emotion": emotion, "Usage": usage, "split": split},
                )
