"""Dataset `raf-au`: RAF-AU, pictures from the web with the action units that coders saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import Published
from affectkit.datasets.unit_cells import check_units
from affectkit.datasets.unit_configs import UnitsConfig
from affectkit.specs import DatasetSpec, lazy

# Those that public code (lingjivoo/OpenGraphAU) takes of RAF-AU, without the sides.
UNITS = (
    "AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10", "AU12", "AU14", "AU15", "AU16", "AU17", "AU18", "AU19",
    "AU20", "AU22", "AU23", "AU24", "AU25", "AU26", "AU27", "AU32", "AU39",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RafAuConfig(UnitsConfig):
    """RAF-AU: 4 601 pictures of faces with blends of expressions, and the action units that two coders saw in each.

    The folder holds `RAFAU_label.txt`, a line `0001.jpg 1+2+L12` per picture, and `aligned/0001_aligned.jpg`. Some
    lines write the number of a picture without its zeros. Where no unit was seen, the line says `null`. There is no
    split, and nobody says who is seen. The pictures are some of RAF-ML, as those of RAF-CE are: both call one picture
    by one number, and it has one subject in both, `raf-ml/0001`.

    Attributes:
        units: `AU12` occurs on whichever side; `L12` and `R12` are of one side of the subject alone. A mirrored picture
            has the sides exchanged and its labels not, so train on sides with `flip = 0`.
        pictures: `aligned`, or `original`, as found.
    """

    tables: ClassVar[tuple[str, ...]] = ("RAFAU_label.txt",)
    units: tuple[str, ...] = UNITS
    pictures: Literal["aligned", "original"] = "aligned"

    def validate(self) -> None:
        super().validate()
        check_units(self.units)

    @property
    def published(self) -> Published:
        return Published(samples=4601, source="lines of RAFAU_label.txt, counted by a user in public")


SPEC = DatasetSpec(
    name="raf-au",
    config=RafAuConfig,
    factory=lazy("affectkit.datasets.raf_au_reader:RafAu"),
    summary="RAF-AU: pictures from the web with action units, one-sided ones too.",
    citation="Yan et al., RAF-AU database: in-the-wild facial expressions with subjective emotion judgement and "
    "objective AU annotations, ACCV 2020 (arXiv 2008.05196)",
)
