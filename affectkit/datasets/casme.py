"""Dataset `casme`: CASME, the first of its series, at 60 frames per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class CasmeConfig(ClipsConfig):
    """CASME: clips at 60 frames per second, each with onset, apex, offset, action units and emotion.

    The folder holds `casme.xlsx`, and beside it the folder of the frames, with clips such as
    `sub01/EP01_12/EP01_12-3.jpg`. The layout is known from one public reader alone, and the rate and the words of
    emotion from no table that was opened for it: a word that is not known is an issue.

    Attributes:
        frames: which frames: `selected`, as recorded (`CASME_raw_selected`), or `cropped` faces (`Cropped`).
        classes: `annotated`, every word.
    """

    dataset: ClassVar[str] = "casme"
    tables: ClassVar[tuple[str, ...]] = ("casme.xlsx", "casme.xls", "casme.csv")
    frames: Literal["selected", "cropped"] = "selected"
    classes: Literal["annotated"] = "annotated"

    @property
    def published(self) -> Published:
        return Published(samples=189, source="the table that a public reader uses")


SPEC = DatasetSpec(
    name="casme",
    config=CasmeConfig,
    factory=lazy("affectkit.datasets.casme_reader:Casme"),
    summary="CASME: micro-expressions at 60 frames per second.",
    citation="Yan et al., CASME database: a dataset of spontaneous micro-expressions, FG 2013",
)
