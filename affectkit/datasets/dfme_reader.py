"""Reader of `dfme`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import ClassVar, final

from affectkit.datasets.dfme import DfmeConfig
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import TableClips
from affectkit.datasets.tables import Columns, parse_fps


@final
class Dfme(TableClips[DfmeConfig]):
    """One sample per row of the split's table."""

    columns: ClassVar[Columns] = {
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "emotion": ("Emotion",),
        "fps": ("Fps",),
    }
    optional: ClassVar[Columns] = {"aus": ("AU", "AUs")}
    folders: ClassVar[re.Pattern[str]] = re.compile(r"sub\d{4}_\d+")

    @property
    def tables(self) -> tuple[str, ...]:
        return f"{self.config.split}_full_with_AU.xlsx", f"{self.config.split}_full_with_AU.csv"

    def folder_key(self, path: str) -> str | None:
        return os.path.basename(path)

    def row_key(self, cells: Mapping[str, str]) -> str | None:
        clip = cells["clip"]
        is_own = self.row_subject(cells) == canonical_subject("dfme", clip.partition("_")[0])
        return clip if self.folders.fullmatch(clip) and is_own else None

    def row_fps(self, cells: Mapping[str, str]) -> float | None:
        return parse_fps(cells["fps"])
