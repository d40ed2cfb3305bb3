"""Dataset `raf-db`: RAF-DB, pictures from the web with one of seven basic expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.specs import DatasetSpec, lazy

# Labels 1 to 7 of the list.
CODES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
_COUNTS = {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)}


@dataclass(frozen=True, kw_only=True)
class RafDbConfig(ClassesConfig):
    """RAF-DB, its basic part: 15 339 pictures of faces, each with one of seven expressions. Nobody says who is seen.

    The folder is `basic`, or that above it. It holds `EmoLabel/list_patition_label.txt`, spelled so, and
    `Image/aligned/train_00001_aligned.jpg`. The half of the split is in a picture's name, and in `raw["split"]`. The
    list counts classes from 1, in an order of its own; here they are in that of `BASIC_7`.

    Attributes:
        split: `train`, `test`, or `all`.
        pictures: `aligned`, 100 by 100 pixels; `original`, as found.
    """

    dataset: ClassVar[str] = "raf-db"
    signs: ClassVar[tuple[str, ...]] = ("basic", "EmoLabel")
    classes: ClassVar[str] = "basic"
    split: Literal["all", "train", "test"] = "all"
    pictures: Literal["aligned", "original"] = "aligned"

    @property
    def published(self) -> Published:
        halves = [_COUNTS[half] for half in (_COUNTS if self.split == "all" else (self.split,))]
        classes = {name: sum(counts) for name, *counts in zip(CODES, *halves, strict=True)}
        return Published(samples=sum(classes.values()), classes=classes, source="list_patition_label.txt")


SPEC = DatasetSpec(
    name="raf-db",
    config=RafDbConfig,
    factory=lazy("affectkit.datasets.raf_db_reader:RafDb"),
    summary="RAF-DB, basic part: pictures with one of seven expressions.",
    citation="Li et al., Reliable crowdsourcing and deep locality-preserving learning, CVPR 2017",
)
