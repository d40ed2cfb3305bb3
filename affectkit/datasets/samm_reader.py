"""Reader of `samm`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, final

from affectkit.datasets.samm import SammConfig
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import TableClips, find_tree
from affectkit.datasets.tables import Columns


@final
class Samm(TableClips[SammConfig]):
    """One sample per row of the table of codes, whose header may be in any of the first 30 rows."""

    columns: ClassVar[Columns] = {
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("Onset Frame", "Onset"),
        "apex": ("Apex Frame", "Apex"),
        "offset": ("Offset Frame", "Offset"),
        "emotion": ("Estimated Emotion", "Emotion"),
    }
    optional: ClassVar[Columns] = {"aus": ("Action Units", "AUs", "AU")}
    folders: ClassVar[re.Pattern[str]] = re.compile(r"\d{3}_\d_\d{1,2}")
    # the long videos of the same people may lie beside the clips
    skipped: ClassVar[re.Pattern[str] | None] = re.compile(r"samm_?(crop|long).*", re.IGNORECASE)
    fps: ClassVar[float] = 200.0

    def find_base(self, root: Path) -> Path:
        return find_tree(root, ("SAMM_CROP",), "frames") if self.config.frames == "cropped" else root

    def folder_key(self, path: str) -> str | None:
        return os.path.basename(path)

    def row_key(self, cells: Mapping[str, str]) -> str | None:
        clip = cells["clip"]
        is_own = self.row_subject(cells) == canonical_subject("samm", clip.partition("_")[0])
        return clip if self.folders.fullmatch(clip) and is_own else None
