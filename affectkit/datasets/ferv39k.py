"""Dataset `ferv39k`: FERV39k, clips of 22 kinds of scenes with one of seven expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

# Labels 0 to 6 of the lists.
CODES = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
_HALVES = {"train": 31_088, "test": 7_847}


@dataclass(frozen=True, kw_only=True)
class Ferv39kConfig(ClassesConfig):
    """FERV39k: 38 935 clips of 22 kinds of scenes with one of seven expressions.

    The folder holds `4_setups/All_scenes/train_All.csv` and `test_All.csv`, with a line `Action/Happy/0267 0` per clip,
    blank between, and the frames as `2_ClipsforFaceCrop/Action/Happy/0267`. Lists count classes from 0, where those of
    DFEW, in the same order, count from 1; so a label that is not that of the clip's folder is noted. Nobody says who is
    seen, nor how fast the frames follow.

    Attributes:
        split: `train`, `test`, or `all`; also in `raw["split"]`.
    """

    dataset: ClassVar[str] = "ferv39k"
    signs: ClassVar[tuple[str, ...]] = ("2_ClipsforFaceCrop", "4_setups")
    classes: ClassVar[str] = "basic"
    split: Literal["all", "train", "test"] = "all"

    def validate(self) -> None:
        super().validate()
        if self.table is not None:
            raise ConfigError(f"{self.table!r}: there are two lists", "leave it out", path="table")

    @property
    def published(self) -> Published:
        samples = sum(_HALVES.values()) if self.split == "all" else _HALVES[self.split]
        return Published(samples=samples, source="the lists of all scenes")


SPEC = DatasetSpec(
    name="ferv39k",
    config=Ferv39kConfig,
    factory=lazy("affectkit.datasets.ferv39k_reader:Ferv39k"),
    summary="FERV39k: clips of 22 kinds of scenes with one of seven expressions.",
    citation="Wang et al., FERV39k: a large-scale multi-scene dataset for facial expression recognition in videos, "
    "CVPR 2022",
)
