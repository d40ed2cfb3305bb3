"""Dataset `fer-plus`: FER+, the pictures of FER2013 with the votes of ten people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class FerPlusConfig(ClassesConfig):
    """FER+: ten people said of each picture of FER2013 which of eight expressions it shows.

    The folder holds `fer2013new.csv`, whose rows are those of `fer2013.csv`, and `fer2013.npy`, which
    `affectkit data unpack` makes of that; or, with `pictures="files"`, `data/FER2013Train/label.csv` with the pictures
    `fer0000000.png` beside it, and so for `Valid` and `Test`. Rows without a picture's name show no face and are left
    out. A vote that only one person gave does not count. Pictures that show no face by the votes, and those on which
    people did not agree, have no valid label. The pictures are those of FER2013, in the same parts of the split: never
    train on one set and test on the other.

    Attributes:
        split: `train`, `validation`, `test`, or `all`; also in `raw["split"]`.
        pictures: `pixels`, those of the array, whose keys and subjects are rows, as those of FER2013; `files`.
        votes: what the label is: `majority`, the class with more than half of the votes; `probability`, shares of up to
            three classes that have three quarters of the votes together, float32 `(K,)`; `multi-target`, 1 for each
            class with at least 30 % of the votes, float32 `(K,)`.
        classes: `eight`; `seven`, without contempt, of a majority only.
    """

    dataset: ClassVar[str] = "fer-plus"
    tables: ClassVar[tuple[str, ...]] = ("fer2013new.csv",)
    # its folder mostly holds fer2013.csv too
    signs: ClassVar[tuple[str, ...]] = ("fer2013new.csv", "FER2013Train")
    split: Literal["all", "train", "validation", "test"] = "all"
    pictures: Literal["pixels", "files"] = "pixels"
    votes: Literal["majority", "probability", "multi-target"] = "majority"
    classes: Literal["seven", "eight"] = "eight"

    def validate(self) -> None:
        super().validate()
        if self.votes != "majority" and self.classes != "eight":
            fact = f"{self.classes!r} does not go with votes={self.votes!r}"
            raise ConfigError(fact, "write 'eight', or votes='majority'", path="classes")

    @property
    def published(self) -> Published:
        # 173 rows of the table have no picture's name; nobody says in which part, nor how many the votes leave out
        samples = 35_887 - 173 if self.split == "all" and self.dropped == "invalid" else None
        return Published(samples=samples, source="fer2013new.csv")


SPEC = DatasetSpec(
    name="fer-plus",
    config=FerPlusConfig,
    factory=lazy("affectkit.datasets.fer_plus_reader:FerPlus"),
    summary="FER+: the pictures of FER2013 with the votes of ten people for eight expressions.",
    citation="Barsoum et al., Training deep networks with crowd-sourced label distribution, ICMI 2016, "
    "arXiv:1608.01041",
)
