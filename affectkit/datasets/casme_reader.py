"""Reader of `casme`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

from affectkit.datasets.casme import CasmeConfig
from affectkit.datasets.casme2_reader import SubjectFolders
from affectkit.datasets.table_clips import find_tree
from affectkit.datasets.tables import Columns

_TREES = {"selected": ("CASME_raw_selected",), "cropped": ("Cropped",)}


@final
class Casme(SubjectFolders[CasmeConfig]):
    """One sample per row. Of the two apexes of the table the first counts; the other stays in `raw`."""

    columns: ClassVar[Columns] = {
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetF", "OnsetFrame"),
        "apex": ("ApexF1", "ApexFrame"),
        "offset": ("OffsetF", "OffsetFrame"),
        "emotion": ("Emotion", "Estimated Emotion"),
    }
    optional: ClassVar[Columns] = {"aus": ("AU", "AUs", "Action Units")}
    fps: ClassVar[float] = 60.0

    def find_base(self, root: Path) -> Path:
        return find_tree(root, _TREES[self.config.frames], "frames")
