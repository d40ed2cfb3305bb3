"""Dataset `mmew`: MMEW, micro- and macro-expressions of the same people; the micro half is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class MmewConfig(ClipsConfig):
    """MMEW: clips of 30 people at 90 frames per second, each with onset, apex, offset, action units and emotion.

    The folder holds `MMEW_Micro_Exp.xlsx`; clips are folders `S03-01-002`, wherever they lie below it. Their files are
    numbered anew from 1, so the annotation is shifted where its onset is another. The pictures of macro-expressions lie
    beside the clips and are not read.

    Attributes:
        classes: `annotated`, seven words, of which some releases call `others` `repression`; `three`, those of MEGC
            2019, grouped by analogy, without others.
    """

    dataset: ClassVar[str] = "mmew"
    tables: ClassVar[tuple[str, ...]] = ("MMEW_Micro*.xlsx", "MMEW_Micro*.xls", "MMEW_Micro*.csv")
    classes: Literal["annotated", "three"] = "three"

    @property
    def published(self) -> Published:
        return Published(samples=300, subjects=30, source="the dataset's page, and a public reader")


SPEC = DatasetSpec(
    name="mmew",
    config=MmewConfig,
    factory=lazy("affectkit.datasets.mmew_reader:Mmew"),
    summary="MMEW: micro-expressions at 90 frames per second, beside macro-expressions of the same people.",
    citation="Ben et al., Video-based facial micro-expression analysis, IEEE TPAMI 44(9), 2022",
)
