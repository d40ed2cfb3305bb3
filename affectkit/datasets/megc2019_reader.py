"""Reader of `megc2019`: the official list, joined with what the readers of the three datasets find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from affectkit.data.labels import MICRO_3
from affectkit.datasets.casme2_reader import Casme2
from affectkit.datasets.megc2019 import Megc2019Config
from affectkit.datasets.notes import Notes, counted
from affectkit.datasets.samm_reader import Samm
from affectkit.datasets.smic_reader import Smic, clip_key
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.tables import find_table, read_book
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import Index, Labels, Sample

_READERS: dict[str, Any] = {"casme2": Casme2, "samm": Samm, "smic": Smic}


@dataclass(frozen=True)
class ListedClip:
    """A line of the list.

    Attributes:
        where: file and line.
        dataset: `casme2`, `samm` or `smic`.
        subject: canonical.
        key: of the clip in its dataset.
        label: index of the class among negative, positive, surprise.
    """

    where: str
    dataset: str
    subject: str
    key: str
    label: int


def read_list(path: Path, notes: Notes) -> list[ListedClip]:
    """The lines of an official list, `casme2,sub01,EP02_01f,1` and no header; lines that are none of it are noted.

    Subjects and clips of the list are spelled as in none of the datasets' own releases: `s01_ne_01` where the folder is
    `s1_ne_01`, `6` where it is `006`.

    Raises:
        InputError: it can't be read, or no line is one of the list.
    """
    clips: list[ListedClip] = []
    (rows,) = read_book(path).values()
    for number, cells in enumerate(rows, start=1):
        where = f"{path.name} line {number}"
        clip = _parse(where, cells)
        if clip is None:
            fact = f"{','.join(cells)!r} is no 'dataset,subject,clip,class'; take the official list"
            notes.add("error", where, fact)
        else:
            clips.append(clip)
    if not clips:
        raise InputError(f"{path}: no line 'dataset,subject,clip,class'; give the official combined_3class_gt.csv")
    return clips


@final
class Megc2019(Dataset[Megc2019Config]):
    """One sample per line of the list whose clip is on disk."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by dataset and key, labeled as the list says.

        Raises:
            InputError: no list below `root`; or a dataset can't be read at all.
            MissingDependencyError: the package that reads a table's format is not installed.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        clips = read_list(table, notes)
        found: dict[tuple[str, str], Sample] = {}
        explained: set[tuple[str, str | None]] = set()
        for name, (config, folder) in self.config.parts.items():
            if any(clip.dataset == name for clip in clips):
                index = _READERS[name](config).scan(root / folder)
                found |= {(name, sample.key): sample for sample in index}
                notes.issues += index.issues
                explained |= {(name, issue.sample) for issue in index.issues if issue.level == "error"}
        samples = list(self._label(clips, found, explained, notes))
        spare = Counter(dataset for dataset, key in found.keys() - {(clip.dataset, clip.key) for clip in clips})
        for name, count in sorted(spare.items()):
            notes.add("info", table.name, f"{counted(count, 'clip')} of {name} not in the list, which leaves them out")
        return Index(samples=tuple(sorted(samples, key=lambda one: (one.dataset, one.key))), issues=tuple(notes.issues))

    def _label(
        self,
        clips: list[ListedClip],
        found: dict[tuple[str, str], Sample],
        explained: set[tuple[str, str | None]],
        notes: Notes,
    ) -> Iterator[Sample]:
        import numpy as np

        places: dict[tuple[str, str], str] = {}
        for clip in clips:
            here = clip.dataset, clip.key
            if here in places:
                fact = f"clip {clip.key} of {clip.dataset} is in {places[here]} already; keep one of them"
                notes.add("error", clip.where, fact, clip.key)
                continue
            places[here] = clip.where
            sample = found.get(here)
            if sample is None:
                if here not in explained:
                    fact = f"no clip {clip.key} among those of {clip.dataset}; unpack it, or complete its table"
                    notes.add("error", clip.where, fact, clip.key)
                continue
            if sample.subject != clip.subject:
                fact = f"subject {clip.subject}, which is {sample.subject} on disk; the one on disk counts"
                notes.add("warning", clip.where, fact, clip.key)
            own = next(iter(sample.targets.values()))
            if own.valid and int(own.values) != clip.label and _own_classes(self.config, clip.dataset) == MICRO_3:
                theirs = MICRO_3[int(own.values)]
                fact = f"class {MICRO_3[clip.label]}, which is {theirs} by its own annotation; the list counts"
                notes.add("warning", clip.where, fact, clip.key)
            labels = Labels(np.array(clip.label, dtype=np.int64), np.array(True))
            yield replace(sample, targets={self.config.target: labels})


def _own_classes(config: Megc2019Config, dataset: str) -> tuple[str, ...]:
    part: Any = config.parts[dataset][0]
    return tuple(part.class_names)


def _parse(where: str, cells: list[str]) -> ListedClip | None:
    if len(cells) != 4 or cells[3] not in ("0", "1", "2"):
        return None
    dataset, subject, clip, label = cells
    known = canonical_subject(dataset, subject) if dataset in _READERS else None
    if known is None:
        return None
    if dataset == "casme2":
        key: str | None = f"{known.partition('/')[2]}/{clip}"
    else:
        key = clip_key(clip) if dataset == "smic" else clip
    return None if key is None else ListedClip(where, dataset, known, key, int(label))
