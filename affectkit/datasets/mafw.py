"""Dataset `mafw`: MAFW, clips of films and series with one of eleven expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

_HALVES = {"all": 9_172, "train": 7_333, "test": 1_839}


@dataclass(frozen=True, kw_only=True)
class MafwConfig(ClassesConfig):
    """MAFW: 9172 clips with one of eleven expressions, in five official folds.

    The folder holds `data/clips/00151.mp4` and, in `split` or `Train & Test Set`, `single/no_caption/set_1/train.txt`
    and `test.txt`, with a line `00151.mp4 anger` per clip. Public code orders the eleven classes in two ways; lists
    name them, so a label that is a number is not valid. Compound ones, such as `sadness_surprise`, are in no class.
    Nobody says who is seen.

    Attributes:
        fold: which of the five; the half of it is also in `raw["split"]`.
        split: `train`, `test`, or `all`.
        classes: `eleven`; `seven`, without contempt, anxiety, helplessness and disappointment.
    """

    dataset: ClassVar[str] = "mafw"
    signs: ClassVar[tuple[str, ...]] = ("split", "Train & Test Set")
    fold: Literal[1, 2, 3, 4, 5] = 1
    split: Literal["all", "train", "test"] = "all"
    classes: Literal["seven", "eleven"] = "eleven"

    def validate(self) -> None:
        super().validate()
        if self.table is not None:
            raise ConfigError(f"{self.table!r}: there are two lists per fold", "leave it out", path="table")

    @property
    def published(self) -> Published:
        is_known = self.split == "all" or self.fold == 1
        is_whole = self.classes == "eleven" or self.dropped == "invalid"
        samples = _HALVES[self.split] if is_known and is_whole else None
        return Published(samples=samples, source="the lists of the first fold")


SPEC = DatasetSpec(
    name="mafw",
    config=MafwConfig,
    factory=lazy("affectkit.datasets.mafw_reader:Mafw"),
    summary="MAFW: clips of films and series with one of eleven expressions, in five folds.",
    citation="Liu et al., MAFW: a large-scale, multi-modal, compound affective database for dynamic facial expression "
    "recognition in the wild, ACM MM 2022",
)
