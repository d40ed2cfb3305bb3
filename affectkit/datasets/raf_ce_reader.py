"""Reader of `raf-ce`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

from affectkit.datasets.clip_index import index_rows
from affectkit.datasets.labeled_rows import LabeledRow, make_labeled
from affectkit.datasets.lists import Listed
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.raf_ce import CODES, PARTS, RafCeConfig
from affectkit.datasets.raf_pictures import RafPictures, picture_key, read_picture_list
from affectkit.datasets.tables import find_table
from affectkit.datasets.unit_cells import label_cell
from affectkit.interfaces import Dataset
from affectkit.records import ImageSource, Index

_PARTS, _UNITS = "RAFCE_partition.txt", "RAFCE_AUlabel.txt"
_WORDS = {str(code): word for code, word in enumerate(CODES)}
_NOWHERE = Listed("", "", "")


@final
class RafCe(Dataset[RafCeConfig]):
    """One sample per line of the list of expressions whose picture is on disk, and whose half is known."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `0001`.

        Raises:
            InputError: no list of expressions or halves, or no folder of the pictures asked for.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        pictures = RafPictures(root, self.config.pictures)
        parts = read_by_picture(root / _PARTS, notes)
        units = read_by_picture(root / _UNITS, notes) if (root / _UNITS).is_file() else None
        if units is None:
            notes.add("info", _UNITS, "is not there, so there are no labels of action units")
        lines = list(read_picture_list(table, notes))
        for name, other in ((_PARTS, parts), (_UNITS, units or {})):
            if spare := sorted(set(other) - {picture_key(line.name) for line in lines}):
                fact = f"{counted(len(spare), 'picture')} in no line of {table.name}: {named(spare)}; left out"
                notes.add("info", name, fact)
        rows = self._rows(lines, parts, units, pictures, notes)
        return index_rows("raf-ce", rows, self.config, table.name, notes, make=make_labeled, noun="picture")

    def _rows(
        self,
        lines: list[Listed],
        parts: Mapping[str, Listed],
        units: Mapping[str, Listed] | None,
        pictures: RafPictures,
        notes: Notes,
    ) -> Iterator[LabeledRow]:
        for line in lines:
            key = picture_key(line.name)
            part = parts.get(key, _NOWHERE)
            half = PARTS.get(part.label)
            if half is None:
                found = f"part {part.label!r}" if part.where else "no line"
                fact = f"{found} of {key} in {_PARTS}; expected one of {', '.join(PARTS)}"
                notes.add("error", part.where or line.where, fact, key)
                continue
            if self.config.split not in ("all", half):
                continue
            path, own = pictures.find(line.name), (units or {}).get(key, _NOWHERE)
            before = len(notes.issues)
            targets = {}
            if own.where:
                targets[self.config.au] = label_cell(own.label, self.config.units, own.where, key, notes)
            elif units is not None:
                notes.add("warning", line.where, f"no line of {key} in {_UNITS}; its units are not labeled", key)
            yield LabeledRow(
                where=line.where,
                key=key,
                subject=f"raf-ml/{key}",
                emotion=_WORDS.get(line.label, line.label),
                source=None if path is None else ImageSource(path=path),
                expected=f"picture {pictures.file_name(line.name)}",
                targets=targets,
                raw={"name": line.name, "label": line.label, "units": own.label, "split": half},
                issues=notes.since(before),
            )


def read_by_picture(path: Path, notes: Notes) -> dict[str, Listed]:
    """Lines of a list by the key of their picture; of two lines of one picture the first counts.

    Raises:
        InputError: it is not there, or no text.
    """
    found: dict[str, Listed] = {}
    for line in read_picture_list(path, notes):
        key = picture_key(line.name)
        if key in found:
            fact = f"picture {key} is in {found[key].where} already; keep one of them"
            notes.add("error", line.where, fact, key)
        else:
            found[key] = line
    return found
