"""Dataset `samm`: SAMM, micro-expressions of people of many ages and origins, at 200 frames per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class SammConfig(ClipsConfig):
    """SAMM: gray clips of 29 people at 200 frames per second, each with onset, apex, offset, action units and emotion.

    The folder holds `SAMM_Micro_FACS_Codes_v2.xlsx`, and below it a folder of frames per clip, such as
    `006/006_1_2/006_05562.jpg`. Clips are called as in the table: subject, inducement, index.

    Attributes:
        frames: which frames: `original`, anywhere but in the folder `SAMM_CROP`; `cropped`, those in it.
        classes: `annotated`, all eight words; `five`, the most frequent ones; `three`, those of MEGC 2019.
    """

    dataset: ClassVar[str] = "samm"
    tables: ClassVar[tuple[str, ...]] = ("SAMM_Micro*.xlsx", "SAMM_2*Micro*.xlsx", "SAMM.xlsx", "SAMM_Micro*.csv")
    frames: Literal["original", "cropped"] = "original"
    classes: Literal["annotated", "five", "three"] = "three"

    @property
    def published(self) -> Published:
        words = {
            "anger": 57, "other": 26, "happiness": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8,
            "sadness": 6,
        }  # fmt: skip
        return Published(samples=159, subjects=29, words=words, source="SAMM_Micro_FACS_Codes_v2.xlsx")


SPEC = DatasetSpec(
    name="samm",
    config=SammConfig,
    factory=lazy("affectkit.datasets.samm_reader:Samm"),
    summary="SAMM: micro-expressions of people of many ages, at 200 frames per second.",
    citation="Davison et al., SAMM: a spontaneous micro-facial movement dataset, IEEE TAFFC 9(1), 2018",
)
