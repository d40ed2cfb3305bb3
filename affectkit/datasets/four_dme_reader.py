"""Reader of `4dme`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, final

from affectkit.datasets.four_dme import FourDmeConfig
from affectkit.datasets.table_clips import TableClips, find_tree
from affectkit.datasets.tables import Columns

_TREES = {"original": ("gray_micro",), "cropped": ("gray_micro_crop",)}


@final
class FourDme(TableClips[FourDmeConfig]):
    """One sample per row; keys are `sub_ID/fold_name`."""

    columns: ClassVar[Columns] = {
        "subject": ("sub_ID",),
        "clip": ("fold_name",),
        "onset": ("Onset",),
        "apex": ("Apex",),
        "offset": ("Offset",),
        "emotion": ("Emotion",),
    }
    optional: ClassVar[Columns] = {"aus": ("AUs",)}
    folders: ClassVar[re.Pattern[str]] = re.compile(".+")
    fps: ClassVar[float] = 60.0

    def find_base(self, root: Path) -> Path:
        return find_tree(root, _TREES[self.config.frames], "frames")

    def list_paths(self, base: Path) -> list[str]:
        # nobody documents how folders are called, so it is where they lie that makes them clips
        return sorted(str(path) for path in base.glob("*/*") if path.is_dir())

    def folder_key(self, path: str) -> str | None:
        return "/".join(Path(path).parts[-2:])

    def row_key(self, cells: Mapping[str, str]) -> str | None:
        return f"{cells['subject']}/{cells['clip']}" if cells["subject"] and cells["clip"] else None
