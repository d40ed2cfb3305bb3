"""Dataset `casme2`: CASME II, micro-expressions at 200 frames per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class Casme2Config(ClipsConfig):
    """CASME II: clips of 26 people at 200 frames per second, each with onset, apex, offset, action units and emotion.

    The folder holds `CASME2-coding-20140508.xlsx` or another edition of it, and beside it the folder of the frames.
    Clips are `01/EP02_01f`: subject and name, since names repeat between subjects. Frame numbers are those of the
    recording, in every tree.

    Attributes:
        frames: which frames: `selected`, onset to offset (`CASME2_RAW_selected`); `raw`, the recording around them
            (`CASME2-RAW`); `cropped`, registered faces (`Cropped`); `cropped-updated`, those of the edition of 2019
            (`Cropped-updated`).
        classes: `annotated`, all seven words; `five`, without fear and sadness; `three`, those of MEGC 2019.
    """

    dataset: ClassVar[str] = "casme2"
    tables: ClassVar[tuple[str, ...]] = ("CASME2-coding-*.xlsx", "CASME2_label_*.xls", "CASME2-coding-*.csv")
    frames: Literal["selected", "raw", "cropped", "cropped-updated"] = "selected"
    classes: Literal["annotated", "five", "three"] = "three"

    @property
    def published(self) -> Published:
        words = {
            "others": 99, "disgust": 63, "happiness": 32, "repression": 27, "surprise": 25, "sadness": 7, "fear": 2,
        }  # fmt: skip
        return Published(samples=255, subjects=26, words=words, source="CASME2-coding-20140508.xlsx")


SPEC = DatasetSpec(
    name="casme2",
    config=Casme2Config,
    factory=lazy("affectkit.datasets.casme2_reader:Casme2"),
    summary="CASME II: micro-expressions at 200 frames per second.",
    citation="Yan et al., CASME II: an improved spontaneous micro-expression database, PLoS ONE 9(1), 2014",
)
