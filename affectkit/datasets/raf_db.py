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
class RafDbPartConfig(ClassesConfig):
    """Base of the two parts of RAF-DB, which have the same layout. Nobody says who is seen.

    The folder is the part's own, or that above it. It holds `EmoLabel/list_patition_label.txt`, spelled so, and
    `Image/aligned/train_00001_aligned.jpg`. The half of the split is in a picture's name, and in `raw["split"]`. The
    list counts classes from 1, in an order of its own. Both parts call a picture `train_00001`, so each has keys and
    subjects of its own.

    Attributes:
        split: `train`, `test`, or `all`.
        pictures: `aligned`, 100 by 100 pixels; `original`, as found.
    """

    # Name of the part's folder, the dataset of the other part, and what the list's labels mean, from 1.
    part: ClassVar[str] = ""
    other: ClassVar[str] = ""
    codes: ClassVar[tuple[str, ...]] = ()
    split: Literal["all", "train", "test"] = "all"
    pictures: Literal["aligned", "original"] = "aligned"


@dataclass(frozen=True, kw_only=True)
class RafDbConfig(RafDbPartConfig):
    """RAF-DB, its basic part: 15 339 pictures of faces, each with one of seven expressions.

    The folder is `basic`, or that above it. Classes are in the order of `BASIC_7`.
    """

    dataset: ClassVar[str] = "raf-db"
    signs: ClassVar[tuple[str, ...]] = ("basic", "EmoLabel")
    classes: ClassVar[str] = "basic"
    part: ClassVar[str] = "basic"
    other: ClassVar[str] = "raf-db-compound"
    codes: ClassVar[tuple[str, ...]] = CODES

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
