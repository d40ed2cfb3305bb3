"""Reader of `disfa-plus`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import final

from affectkit.datasets.disfa_plus import DisfaPlusConfig
from affectkit.datasets.frame_folders import find_folders
from affectkit.datasets.intensity_files import read_units
from affectkit.datasets.notes import Notes, counted
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.unit_labels import label_codes
from affectkit.datasets.unit_pictures import find_pictures, note_units
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index, Sample

_PERSON = re.compile(r"SN\d{3}")
_TRIAL = re.compile(r".*")


@final
class DisfaPlus(Dataset[DisfaPlusConfig]):
    """One sample per trial."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `SN001/A1_AU1_TrailNo_1`.

        Raises:
            InputError: no folder of labels, or none of a person in it.
        """
        root, notes = Path(root), Notes()
        base = root / "Labels"
        people = find_folders(base, _PERSON) if base.is_dir() else []
        if not people:
            raise InputError(f"{base}: no folder of a person, such as 'SN001'; unpack them there")
        trials = [trial for person in people for trial in find_folders(person, _TRIAL)]
        samples = [one for trial in trials if (one := self._read(root, Path(trial), notes)) is not None]
        fact = f"shows {counted(len(people), 'subject')} whom DISFA shows too; keys are alike, so split both as one"
        notes.add("info", root.name, fact)
        return Index(samples=tuple(samples), issues=tuple(notes.issues))

    def _read(self, root: Path, trial: Path, notes: Notes) -> Sample | None:
        before, key = len(notes.issues), f"{trial.parent.name}/{trial.name}"
        where = f"Labels/{key}"
        files = {unit: trial / f"{unit}.txt" for unit in self.config.units}
        codes = read_units({unit: path for unit, path in files.items() if path.is_file()}, key, where, notes)
        note_units(self.config.units, codes, where, key, notes)
        frames = sorted({frame for own in codes.values() for frame in own})
        pictures = root / "Images" / key
        found = find_pictures(str(pictures), frames, where, key, self.config.fps, notes) if pictures.is_dir() else None
        if found is None or not found.numbers:
            fact = f"no picture in Images/{key} for {counted(len(frames), 'labeled frame')}; unpack them"
            notes.add("error", where, fact, key)
            return None
        threshold = None if self.config.intensity else self.config.threshold
        return Sample(
            dataset="disfa-plus",
            # the people of DISFA
            subject=canonical_subject("disfa", os.path.basename(trial.parent)) or key,
            key=key,
            source=found.source,
            times=found.times,
            targets={self.config.target: label_codes(codes, self.config.units, found.numbers, threshold=threshold)},
            raw={"folder": where},
            issues=notes.since(before),
        )
