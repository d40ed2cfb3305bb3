"""Dataset `dfme`: DFME, as the tables of its challenge annotate it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy

_WORDS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
_COUNTS = {
    "training": (1856, 176, (161, 100, 548, 265, 206, 278, 298)),
    "testA": (474, 42, (39, 34, 129, 62, 63, 46, 101)),
    "testB": (299, 41, (41, 37, 58, 38, 42, 35, 48)),
}


@dataclass(frozen=True, kw_only=True)
class DfmeConfig(ClipsConfig):
    """DFME: clips at 200, 300 or 500 frames per second, each with onset, apex, offset, action units and emotion.

    The folder holds `training_full_with_AU.xlsx`, `testA_full_with_AU.xlsx` or `testB_full_with_AU.xlsx`, and a folder
    of frames per clip, such as `sub0003_01/00034.png`. The rate is a column: compare clips in seconds, not in frames.

    Attributes:
        split: which table: `training`, `testA` or `testB`.
        classes: `annotated`, all seven words; `three`, those of MEGC 2019, grouped by analogy.
    """

    dataset: ClassVar[str] = "dfme"
    signs: ClassVar[tuple[str, ...]] = ("*_full_with_AU.xlsx", "*_full_with_AU.csv")
    split: Literal["training", "testA", "testB"] = "training"
    classes: Literal["annotated", "three"] = "three"

    @property
    def published(self) -> Published:
        samples, subjects, counts = _COUNTS[self.split]
        words = dict(zip(_WORDS, counts, strict=True))
        return Published(samples=samples, subjects=subjects, words=words, source=f"{self.split}_full_with_AU.xlsx")


SPEC = DatasetSpec(
    name="dfme",
    config=DfmeConfig,
    factory=lazy("affectkit.datasets.dfme_reader:Dfme"),
    summary="DFME: micro-expressions at 200 to 500 frames per second.",
    citation="Zhao et al., DFME: a new benchmark for dynamic facial micro-expression recognition, arXiv:2301.00985",
)
