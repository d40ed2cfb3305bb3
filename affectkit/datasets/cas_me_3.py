"""Dataset `cas-me-3`: CAS(ME)^3, parts A and C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

_WORDS = {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55}


@dataclass(frozen=True, kw_only=True)
class CasMeCubedConfig(ClipsConfig):
    """CAS(ME)^3 at 30 frames per second: part A, 94 people before videos; part C, 30 people in a mock crime.

    Part A has two tables. `cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx` has the emotions of the micro-expressions, and
    some impossible times; `CAS(ME)3_part_A_v2.xls` has the times of all events, and where a row is in both, its times
    count. Frames lie in `data/spNO.1/a/color`, or in clips, `frame/spNO.1_a_355`. Part C has
    `CAS(ME)3_part_C_ME.xlsx`, no apexes, and frames in `ME_C/01/1/color`.

    An offset is where the face is neutral again, which may be minutes later. Frames are missing in most videos. People
    of the two parts have keys of their own (`cas-me-3/001`, `cas-me-3/c01`).

    Attributes:
        part: `A` or `C`.
        unit: what a sample is: an `event`, one micro-expression, from onset to offset; or, of part A, a `video` with
            all of its events, and no label of its own.
        frames: of part A: `long` videos, from which events are cut, or `clips` of the release of clips.
        joint: the table of times of part A, seen from the dataset's folder; by default it is found by its name.
        classes: `seven` words, of part A; `four`: negative, positive, surprise, others; `three`, without others.
    """

    dataset: ClassVar[str] = "cas-me-3"
    tables: ClassVar[tuple[str, ...]] = ("cas(me)3_part_A_ME*.xlsx", "cas(me)3_part_A_ME*.csv")
    tables_of_c: ClassVar[tuple[str, ...]] = ("CAS(ME)3_part_C_ME*.xlsx", "CAS(ME)3_part_C_ME*.csv")
    joint_tables: ClassVar[tuple[str, ...]] = ("CAS(ME)3_part_A_v2.xls", "CAS(ME)3_part_A_v2.xlsx")
    signs: ClassVar[tuple[str, ...]] = ("CAS(ME)3_part_*",)
    part: Literal["A", "C"] = "A"
    unit: Literal["event", "video"] = "event"
    frames: Literal["long", "clips"] = "long"
    joint: str | None = None
    classes: Literal["seven", "four", "three"] = "three"

    def validate(self) -> None:
        super().validate()
        if self.part == "C" and self.classes == "seven":
            raise ConfigError("'seven' are not annotated in part C", "write 'three' or 'four'", path="classes")
        if self.unit == "video" and (self.part == "C" or self.frames == "clips"):
            raise ConfigError("'video' with clips", "write part='A' and frames='long'", path="unit")

    @property
    def published(self) -> Published:
        if self.part == "C":
            words = {"negative": 99, "surprise": 30, "others": 20, "positive": 16}
            return Published(samples=165, subjects=30, words=words, source="CAS(ME)3_part_C_ME.xlsx")
        if self.unit == "video":
            kinds = {"macro-expression": 3346, "micro-expression": 860}
            return Published(samples=956, subjects=98, kinds=kinds, source="CAS(ME)3_part_A_v2.xls")
        return Published(samples=860, subjects=94, words=_WORDS, source="cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx")


SPEC = DatasetSpec(
    name="cas-me-3",
    config=CasMeCubedConfig,
    factory=lazy("affectkit.datasets.cas_me_3_reader:CasMeCubed"),
    summary="CAS(ME)^3, parts A and C: micro-expressions, or long videos, at 30 frames per second.",
    citation="Li et al., CAS(ME)^3: a third generation facial spontaneous micro-expression database, IEEE TPAMI 45(3), "
    "2023",
)
