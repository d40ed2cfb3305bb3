"""Dataset `smic`: SMIC, micro-expressions before a high-speed, a normal and an infrared camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class SmicConfig(ClipsConfig):
    """SMIC: clips of 16 people (8 in VIS and NIR), negative, positive or surprise. Nobody annotated an apex.

    A clip is a folder `s01_ne_01`, or `s1_ne_01`; its label is in the name. It holds the frames from onset to offset,
    so there is no table. Folders `non_micro` are not looked into. The long version has a table of intervals, of which a
    clip may have up to three, and there a sample is the whole video with all of its events.

    Attributes:
        part: the camera: `HS`, 100 frames per second; `VIS` and `NIR`, 25.
        frames: which frames: `cropped` (`SMIC_all_cropped`), `original` (`SMIC_all_raw`), or `long`, with what is
            around the events (`SMIC-E_raw image`, and `SMIC-HS-E_annotation.xlsx`).
    """

    dataset: ClassVar[str] = "smic"
    tables: ClassVar[tuple[str, ...]] = ("SMIC*annotation*.xlsx", "SMIC*annotation*.csv")
    signs: ClassVar[tuple[str, ...]] = ("SMIC_all_*", "SMIC-E*", "SMIC*annotation*", "HS", "VIS", "NIR")
    part: Literal["HS", "VIS", "NIR"] = "HS"
    frames: Literal["cropped", "original", "long"] = "cropped"

    @property
    def published(self) -> Published:
        if self.part == "HS":
            words = {"negative": 70, "positive": 51, "surprise": 43}
            samples = 157 if self.frames == "long" else 164
            return Published(
                samples=samples, subjects=16, words=words, source="MEGC 2019 and SMIC-HS-E_annotation.xlsx"
            )
        words = {"negative": 24, "positive": 28, "surprise": 19} if self.part == "VIS" else {}
        return Published(samples=71, subjects=8, words=words, source="the sheet VIS of SMIC-HS-E_annotation.xlsx")


SPEC = DatasetSpec(
    name="smic",
    config=SmicConfig,
    factory=lazy("affectkit.datasets.smic_reader:Smic"),
    summary="SMIC: micro-expressions before a high-speed, a normal and an infrared camera; no apexes.",
    citation="Li et al., A spontaneous micro-expression database: inducement, collection and baseline, FG 2013",
)
