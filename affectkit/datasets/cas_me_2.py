"""Dataset `cas-me-2`: CAS(ME)^2, long videos with macro- and micro-expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import AnnotatedConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class CasMeSquaredConfig(AnnotatedConfig):
    """CAS(ME)^2: long videos of 22 people at 30 frames per second, with the events in each.

    The folder holds `CAS(ME)^2code_final.xlsx`, whose three sheets have no header: events, subjects by number, videos
    by code. Beside it lie videos such as `rawpic/s15/15_0101disgustingteeth`. An offset 0 stands for one that was not
    coded, and the apex stands in for it. Videos without an event are samples too.

    Attributes:
        frames: which frames: `rawpic` as recorded, or `cropped` faces.
    """

    tables: ClassVar[tuple[str, ...]] = ("CAS(ME)^2code_final*.xlsx", "code_final*.xlsx", "CASME_sq*.xlsx")
    frames: Literal["rawpic", "cropped"] = "rawpic"

    @property
    def published(self) -> Published:
        # 87, 97 and 98 videos are written of, so their number is no rule
        return Published(
            subjects=22,
            kinds={"macro-expression": 300, "micro-expression": 57},
            source="the table of the challenge of 2021",
        )


SPEC = DatasetSpec(
    name="cas-me-2",
    config=CasMeSquaredConfig,
    factory=lazy("affectkit.datasets.cas_me_2_reader:CasMeSquared"),
    summary="CAS(ME)^2: long videos with macro- and micro-expressions, at 30 frames per second.",
    citation="Qu et al., CAS(ME)^2: a database for spontaneous macro-expression and micro-expression spotting and "
    "recognition, IEEE TAFFC 9(4), 2018",
)
