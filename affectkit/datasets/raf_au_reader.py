"""Reader of `raf-au`."""

from __future__ import annotations

from pathlib import Path
from typing import final

from affectkit.datasets.notes import Notes
from affectkit.datasets.raf_au import RafAuConfig
from affectkit.datasets.raf_pictures import RafPictures, picture_key, read_picture_list
from affectkit.datasets.tables import find_table
from affectkit.datasets.unit_cells import label_cell
from affectkit.interfaces import Dataset
from affectkit.records import ImageSource, Index, Sample


@final
class RafAu(Dataset[RafAuConfig]):
    """One sample per line of the list whose picture is on disk."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `0001`.

        Raises:
            InputError: no list, or no folder of the pictures asked for.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        pictures = RafPictures(root, self.config.pictures)
        samples: dict[str, Sample] = {}
        places: dict[str, str] = {}
        for line in read_picture_list(table, notes):
            key = picture_key(line.name)
            if key in places:
                fact = f"picture {key} is in {places[key]} already; keep one of them"
                notes.add("error", line.where, fact, key)
                continue
            places[key] = line.where
            path = pictures.find(line.name)
            if path is None:
                fact = f"no picture {pictures.file_name(line.name)}; unpack it, or remove the line"
                notes.add("error", line.where, fact, key)
                continue
            before = len(notes.issues)
            labels = label_cell(line.label, self.config.units, line.where, key, notes)
            samples[key] = Sample(
                dataset="raf-au",
                subject=f"raf-ml/{key}",
                subject_is_known=False,
                key=key,
                source=ImageSource(path=path),
                targets={self.config.target: labels},
                raw={"name": line.name, "units": line.label},
                issues=notes.since(before),
            )
        return Index(samples=tuple(one for _, one in sorted(samples.items())), issues=tuple(notes.issues))
