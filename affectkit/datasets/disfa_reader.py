"""Reader of `disfa`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import final

from affectkit.datasets.disfa import DisfaConfig
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.intensity_files import read_units
from affectkit.datasets.notes import Notes
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.unit_labels import label_codes
from affectkit.datasets.unit_pictures import find_pictures, note_units
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index, Sample, Source, VideoSource

_PERSON = re.compile(r"SN\d{3}")
_LABELS = "ActionUnit_Labels"
_VIDEOS = {"left": "Video_LeftCamera/LeftVideo{}_comp.avi", "right": "Video_RightCamera/RightVideo{}_comp.avi"}


@final
class Disfa(Dataset[DisfaConfig]):
    """One sample per person."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `SN001`.

        Raises:
            InputError: no folder of labels, or none of a person in it.
        """
        root, notes = Path(root), Notes()
        base = root / _LABELS
        people = find_folders(base, _PERSON) if base.is_dir() else []
        if not people:
            raise InputError(f"{base}: no folder of a person, such as 'SN001'; unpack them there")
        folders: dict[str, str] = {}
        if self.config.frames == "pictures":
            for path in find_folders(root, _PERSON, skip=re.compile(_LABELS)):
                key = os.path.basename(path)
                if folders.setdefault(key, path) != path:
                    notes.add_second(path, folders[key], root, key)
        samples = [self._read(Path(path), root, folders, notes) for path in people]
        return Index(samples=tuple(one for one in samples if one is not None), issues=tuple(notes.issues))

    def _read(self, labels: Path, root: Path, folders: dict[str, str], notes: Notes) -> Sample | None:
        before, key = len(notes.issues), labels.name
        subject = canonical_subject("disfa", key) or key
        if not self.config.is_asked_for(subject):
            return None
        where = f"{_LABELS}/{key}"
        # each by its own name: in the order of the disk, `au10` comes before `au2`
        files = {unit: labels / f"{key}_au{unit[2:]}.txt" for unit in self.config.units}
        codes = read_units({unit: path for unit, path in files.items() if path.is_file()}, key, where, notes)
        note_units(self.config.units, codes, where, key, notes)
        last = max((frame for own in codes.values() for frame in own), default=0)
        numbers, source, times = list(range(last)), self._find(root, key, folders), None
        if isinstance(source, str):
            found = find_pictures(source, numbers, where, key, self.config.fps, notes)
            numbers, source, times = found.numbers, found.source, found.times
        if source is None or not numbers:
            fact = f"no {self.config.frames} of {key}, or no labels; unpack them, or remove the folder"
            notes.add("error", where, fact, key)
            return None
        threshold = None if self.config.intensity else self.config.threshold
        # lines count from 1, frames and pictures from 0
        labels_ = label_codes(codes, self.config.units, [number + 1 for number in numbers], threshold=threshold)
        return Sample(
            dataset="disfa",
            subject=subject,
            key=key,
            source=source,
            times=times,
            targets={self.config.target: labels_},
            raw={"folder": where, "part": self.config.part(subject)},
            issues=notes.since(before),
        )

    def _find(self, root: Path, key: str, folders: dict[str, str]) -> Source | str | None:
        """The video, or the folder of the pictures."""
        if self.config.frames == "pictures":
            return folders.get(key)
        path = root / _VIDEOS[self.config.camera].format(key)
        return VideoSource(path=path) if path.is_file() else None
