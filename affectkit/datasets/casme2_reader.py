"""Reader of `casme2`, and what CASME has in common with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar, final

from affectkit.datasets.base import ClipsConfig
from affectkit.datasets.casme2 import Casme2Config
from affectkit.datasets.subjects import canonical_subject
from affectkit.datasets.table_clips import TableClips, find_tree
from affectkit.datasets.tables import Columns

K = TypeVar("K", bound=ClipsConfig)
_TREES = {
    "selected": ("CASME2_RAW_selected",),
    "raw": ("CASME2-RAW", "CASME2_RAW"),
    "cropped": ("Cropped",),
    "cropped-updated": ("Cropped-updated",),
}


class SubjectFolders(TableClips[K]):
    """Clips in `sub01/EP02_01f`, or `1/EP02_01f`. The name of a clip alone says nothing: two people may have it."""

    folders: ClassVar[re.Pattern[str]] = re.compile(r"EP\d{2}[\w-]*")

    def folder_key(self, path: str) -> str | None:
        parent, clip = path.replace("\\", "/").split("/")[-2:]
        return self._key(parent, clip)

    def row_key(self, cells: Mapping[str, str]) -> str | None:
        return self._key(cells["subject"], cells["clip"]) if self.folders.fullmatch(cells["clip"]) else None

    def _key(self, subject: str, clip: str) -> str | None:
        known = canonical_subject(self.config.dataset, subject)
        return None if known is None else f"{known.partition('/')[2]}/{clip}"


@final
class Casme2(SubjectFolders[Casme2Config]):
    """One sample per row of the coding table."""

    columns: ClassVar[Columns] = {
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "emotion": ("Estimated Emotion", "Emotion"),
    }
    optional: ClassVar[Columns] = {"aus": ("Action Units", "AUs", "AU")}
    fps: ClassVar[float] = 200.0

    def find_base(self, root: Path) -> Path:
        return find_tree(root, _TREES[self.config.frames], "frames")
