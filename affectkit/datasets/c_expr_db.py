"""Dataset `c-expr-db`: C-EXPR-DB, the frames whose compound expression the ABAW challenges ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.data.labels import COMPOUND_7
from affectkit.datasets.base import Published, PublishedConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class CExprDbConfig(PublishedConfig):
    """C-EXPR-DB, the part of the 6th and 7th ABAW challenge: 56 videos of which 26 145 frames are to be answered.

    The folder holds the owners' sample of an answer, such as `CVPR_6th_ABAW_CE_test_set_sample.txt`: a header with the
    seven classes, and a line `01/00001.jpg,` per frame, with nothing or a dummy behind the comma. The pictures lie in
    `cropped_aligned/01/00001.jpg`, or in `01/00001.jpg`. A sample is a video with the frames that are listed; nobody
    says who is seen, so its subject is the video. There are no labels: the owners kept them.

    How the owners write the labels of the whole database, 400 videos in thirteen classes, could not be verified, so it
    is not read. Who has labels of frames writes them as an answer is written, and says `has_labels`; an answer itself
    is read so too.

    Attributes:
        frames: the folder of the pictures' folders; where there is none of that name, they lie in the dataset's.
        missing: what becomes of frames without a picture, in which no face was found: `keep`, they stay, and the
            nearest picture of the video stands in; `drop`, they are left out.
        has_labels: whether what stands behind the comma is a class, 0 to 6 in the order of the header, or a dummy. -1,
            or nothing, is no label.
        target: the head that labels are for.
        fps: frames per second, for times; None where nobody knows it.
    """

    tables: ClassVar[tuple[str, ...]] = ("*ABAW*_CE_*sample*.txt", "*ABAW*_CER_*sample*.txt")
    frames: str = "cropped_aligned"
    missing: Literal["keep", "drop"] = "keep"
    has_labels: bool = False
    target: str = "compound"
    fps: float | None = None

    def validate(self) -> None:
        if not self.target:
            raise ConfigError("'' names no head", "write one, such as 'compound'", path="target")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"{self.fps!r} is no rate", "write more than 0", path="fps")

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {self.target: COMPOUND_7} if self.has_labels else {}

    @property
    def published(self) -> Published:
        frames = {self.target: 26_145} if self.has_labels else {}
        return Published(samples=56, frames=frames, source="participants of the 6th and 7th challenge")


SPEC = DatasetSpec(
    name="c-expr-db",
    config=CExprDbConfig,
    factory=lazy("affectkit.datasets.c_expr_db_reader:CExprDb"),
    summary="C-EXPR-DB: frames of the ABAW challenges on compound expressions, to be answered.",
    citation="Kollias, Multi-label compound expression recognition: C-EXPR database and network, CVPR 2023",
)
