"""Dataset `megc2019`: the composite of CASME II, SAMM and SMIC-HS, in three classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from affectkit.configs import DatasetConfig
from affectkit.data.labels import MICRO_3
from affectkit.datasets.base import Published, PublishedConfig
from affectkit.datasets.casme2 import Casme2Config
from affectkit.datasets.samm import SammConfig
from affectkit.datasets.smic import SmicConfig
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class Megc2019Config(PublishedConfig):
    """The composite of the challenge of 2019: 442 clips of 68 people, each negative, positive or surprise.

    The official list says which clips of the three datasets belong to it and what their class is; the datasets' own
    readers find them. A sample keeps its dataset, key and subject, so leaving one subject out goes over all 68.

    Attributes:
        casme2, samm, smic: how the three are read; their `target` and `classes` do not matter.
        casme2_root, samm_root, smic_root: their folders, seen from the composite's.
        target: name of the head that the label is for.
    """

    tables: ClassVar[tuple[str, ...]] = ("combined_3class_gt*.csv",)
    casme2: Casme2Config = field(default_factory=Casme2Config)
    samm: SammConfig = field(default_factory=SammConfig)
    smic: SmicConfig = field(default_factory=SmicConfig)
    casme2_root: str = "CASME2"
    samm_root: str = "SAMM"
    smic_root: str = "SMIC"
    target: str = "emotion"

    def validate(self) -> None:
        if not self.target:
            raise ConfigError("'' names no head", "write one, such as 'emotion'", path="target")
        if self.smic.part != "HS":
            raise ConfigError(f"{self.smic.part!r} is not in the composite", "write 'HS'", path="smic.part")

    @property
    def published(self) -> Published:
        classes = dict(zip(MICRO_3, (250, 109, 83), strict=True))
        return Published(samples=442, subjects=68, classes=classes, source="the official combined_3class_gt.csv")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes in the order of the label's index."""
        return MICRO_3

    @property
    def parts(self) -> dict[str, tuple[DatasetConfig, str]]:
        """Config and folder of each dataset, by its name in the list."""
        return {
            "casme2": (self.casme2, self.casme2_root),
            "samm": (self.samm, self.samm_root),
            "smic": (self.smic, self.smic_root),
        }


SPEC = DatasetSpec(
    name="megc2019",
    config=Megc2019Config,
    factory=lazy("affectkit.datasets.megc2019_reader:Megc2019"),
    summary="MEGC 2019: CASME II, SAMM and SMIC-HS together, in three classes.",
    citation="See et al., MEGC 2019: the second facial micro-expressions grand challenge, FG 2019",
)
