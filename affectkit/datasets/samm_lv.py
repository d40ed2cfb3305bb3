"""Dataset `samm-lv`: SAMM Long Videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit.datasets.base import AnnotatedConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class SammLongConfig(AnnotatedConfig):
    """SAMM Long Videos: gray videos of people of SAMM at 200 frames per second, with macro- and micro-expressions.

    The folder holds `SAMM_LongVideos_V3_Release.xlsx`, and below it a folder of frames per video, such as
    `SAMM_longvideos/006_1`. The people are those of SAMM and share its keys: `samm/006`. The table has no emotions;
    where that of SAMM lies beside it, micro-expressions get its words as labels. An event whose onset is 0 began before
    the video and is left out; an apex -1 was not coded.
    """

    tables: ClassVar[tuple[str, ...]] = ("SAMM_LongVideos*.xlsx", "SAMMLV*.xlsx", "SAMM_LongVideos*.csv")

    @property
    def published(self) -> Published:
        return Published(
            samples=147,
            subjects=30,
            kinds={"macro-expression": 343, "micro-expression": 159},
            source="the table of the challenge of 2021",
        )


SPEC = DatasetSpec(
    name="samm-lv",
    config=SammLongConfig,
    factory=lazy("affectkit.datasets.samm_lv_reader:SammLong"),
    summary="SAMM Long Videos: macro- and micro-expressions of the people of SAMM, at 200 frames per second.",
    citation="Yap et al., SAMM Long Videos: a spontaneous facial micro- and macro-expressions dataset, FG 2020",
)
