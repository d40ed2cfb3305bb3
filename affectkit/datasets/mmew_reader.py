"""Reader of `mmew`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import ClassVar, final

from affectkit.datasets.mmew import MmewConfig
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import TableClips
from affectkit.datasets.tables import Columns


@final
class Mmew(TableClips[MmewConfig]):
    """One sample per row. The person is the first part of the clip's name."""

    columns: ClassVar[Columns] = {
        "clip": ("Filename",),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "emotion": ("Estimated Emotion", "Emotion"),
    }
    optional: ClassVar[Columns] = {"subject": ("Subject",), "aus": ("Action Units", "AUs", "AU")}
    folders: ClassVar[re.Pattern[str]] = re.compile(r"S\d{2}-\d{2}-\d{3}")
    fps: ClassVar[float] = 90.0

    def folder_key(self, path: str) -> str | None:
        return os.path.basename(path)

    def row_key(self, cells: Mapping[str, str]) -> str | None:
        return cells["clip"] if self.folders.fullmatch(cells["clip"]) else None

    def row_subject(self, cells: Mapping[str, str]) -> str | None:
        return canonical_subject("mmew", cells["clip"].partition("-")[0])
