"""The reader of `clip-table`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from affectkit import Dataset, Index, InputError, Issue, Labels, Sample, VideoSource
from affectkit_toy.clip_table import ClipTableConfig

MOODS = ("tense", "tired")


class ClipTable(Dataset[ClipTableConfig]):
    """One sample per row; an unknown mood is an issue and no label."""

    def scan(self, root: Path) -> Index:
        path = root / self.config.table
        if not path.is_file():
            raise InputError(f"{root}: no {self.config.table}; give the folder that holds the table and the videos")
        samples, issues = [], []
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                known = row["mood"] in MOODS
                if not known:
                    issues.append(Issue(level="warning", where=f"{path.name}:{line}", fact=f"no mood {row['mood']!r}"))
                values = np.array([row["mood"] == mood for mood in MOODS], dtype=np.float32)
                samples.append(
                    Sample(
                        dataset="clip-table",
                        subject=row["subject"],
                        key=row["clip"],
                        source=VideoSource(path=root / row["clip"]),
                        targets={"mood": Labels(values, np.full(len(MOODS), known))},
                        raw=dict(row),
                    )
                )
        return Index(samples=tuple(samples), issues=tuple(issues))
