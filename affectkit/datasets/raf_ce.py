"""Dataset `raf-ce`: RAF-CE, pictures from the web with one of fourteen compound expressions, and action units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.data.labels import COMPOUND_14
from affectkit.datasets.base import ClassesConfig, Published
from affectkit.datasets.raf_au import UNITS
from affectkit.datasets.unit_cells import check_units
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

# Labels 0 to 13 of the list.
CODES = COMPOUND_14
# Numbers of the list of parts.
PARTS: Mapping[str, str] = {"0": "train", "1": "test", "2": "validation"}


@dataclass(frozen=True, kw_only=True)
class RafCeConfig(ClassesConfig):
    """RAF-CE: 4 549 pictures of faces, each with one of fourteen compound expressions, and its action units.

    The folder holds `RAFCE_emolabel.txt` with a line `0001.jpg 7` per picture, `RAFCE_partition.txt` with the half of
    each (0 train, 1 test, 2 validation), `RAFCE_AUlabel.txt` with its units (`1+2+L12`, or `null`), and
    `aligned/0001_aligned.jpg`. Classes are in the order of `COMPOUND_14`, that of the list. Without the list of units,
    there are no labels of them. Nobody says who is seen. The pictures are some of RAF-ML, as those of RAF-AU are: both
    call one picture by one number, and it has one subject in both, `raf-ml/0001`.

    Attributes:
        split: `train`, `validation`, `test`, or `all`; also in `raw["split"]`.
        pictures: `aligned`, or `original`, as found.
        au: the head that the action units are for.
        units: which of them, as in `raf-au`.
    """

    dataset: ClassVar[str] = "raf-ce"
    tables: ClassVar[tuple[str, ...]] = ("RAFCE_emolabel.txt",)
    classes: ClassVar[str] = "compound"
    target: str = "compound"
    split: Literal["all", "train", "validation", "test"] = "all"
    pictures: Literal["aligned", "original"] = "aligned"
    au: str = "au"
    units: tuple[str, ...] = UNITS

    def validate(self) -> None:
        super().validate()
        if self.au in ("", self.target):
            raise ConfigError(f"{self.au!r} is no head of its own", "write another name, such as 'au'", path="au")
        if not self.units or len(set(self.units)) < len(self.units):
            raise ConfigError(f"{self.units!r} is empty, or has a unit twice", "write each once", path="units")
        check_units(self.units)

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {self.target: self.class_names, self.au: self.units}

    @property
    def published(self) -> Published:
        return Published(samples=4549 if self.split == "all" else None, source="the owners' page of the dataset")


SPEC = DatasetSpec(
    name="raf-ce",
    config=RafCeConfig,
    factory=lazy("affectkit.datasets.raf_ce_reader:RafCe"),
    summary="RAF-CE: pictures with one of fourteen compound expressions, and action units.",
    citation="RAF-CE, Beijing University of Posts and Telecommunications, http://whdeng.cn/RAF/model4.html",
)
