"""Dataset `raf-db-compound`: RAF-DB, pictures from the web with one of eleven compound expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.data.labels import COMPOUND_11
from affectkit.datasets.base import Published
from affectkit.datasets.raf_db import RafDbPartConfig
from affectkit.specs import DatasetSpec, lazy

_COUNTS = {"train": 3162, "test": 792}


@dataclass(frozen=True, kw_only=True)
class RafDbCompoundConfig(RafDbPartConfig):
    """RAF-DB, its compound part: 3 954 pictures of faces, each with two basic expressions at once, one of eleven pairs.

    The folder is `compound`, or that above it. Classes are in the order of `COMPOUND_11`, that of the list.
    """

    dataset: ClassVar[str] = "raf-db-compound"
    signs: ClassVar[tuple[str, ...]] = ("compound",)
    classes: ClassVar[str] = "compound"
    part: ClassVar[str] = "compound"
    other: ClassVar[str] = "raf-db"
    codes: ClassVar[tuple[str, ...]] = COMPOUND_11
    target: str = "compound"

    @property
    def published(self) -> Published:
        samples = sum(_COUNTS.values()) if self.split == "all" else _COUNTS[self.split]
        return Published(samples=samples, source="public code that splits list_patition_label.txt")


SPEC = DatasetSpec(
    name="raf-db-compound",
    config=RafDbCompoundConfig,
    factory=lazy("affectkit.datasets.raf_db_reader:RafDb"),
    summary="RAF-DB, compound part: pictures with one of eleven compound expressions.",
    citation="Li et al., Reliable crowdsourcing and deep locality-preserving learning, CVPR 2017",
)
