"""Dataset `dfew`: DFEW, clips of films with one of seven expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

# Labels 1 to 7 of the tables.
CODES = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
_HALVES = {"all": 11_697, "train": 9_356, "test": 2_341}


@dataclass(frozen=True, kw_only=True)
class DfewConfig(ClassesConfig):
    """DFEW: 11 697 clips of films with one of seven expressions, in five official folds.

    The folder holds `EmoLabel_DataSplit/train(single-labeled)/set_1.csv` and `test(single-labeled)`, with a row
    `video_name,label` per clip, and a folder of frames per clip, `Clip/clip_224x224/00001`; or all of it as
    `data_affine/single_label/label/single_trainset_1.csv` and `data_affine/single_label/data/00001`. A table counts
    classes from 1, and says `1` where the folder is `00001`. Frames are mostly sixteen, interpolated in time, so they
    have no rate. Nobody says who is seen.

    Attributes:
        fold: which of the five; the half of it is also in `raw["split"]`.
        split: `train`, `test`, or `all`.
        clips: the folder of the clips' folders, seen from the dataset's, such as `Clip/clip_224x224_16f`; by default
            that of the release whose tables are there.
    """

    dataset: ClassVar[str] = "dfew"
    signs: ClassVar[tuple[str, ...]] = ("EmoLabel_DataSplit", "data_affine")
    classes: ClassVar[str] = "basic"
    fold: Literal[1, 2, 3, 4, 5] = 1
    split: Literal["all", "train", "test"] = "all"
    clips: str | None = None

    def validate(self) -> None:
        super().validate()
        if self.table is not None:
            raise ConfigError(f"{self.table!r}: there are two tables per fold", "leave it out", path="table")

    @property
    def published(self) -> Published:
        # of the other folds nobody counted the halves
        samples = _HALVES[self.split] if self.split == "all" or self.fold == 1 else None
        return Published(samples=samples, source="the tables of the first fold")


SPEC = DatasetSpec(
    name="dfew",
    config=DfewConfig,
    factory=lazy("affectkit.datasets.dfew_reader:Dfew"),
    summary="DFEW: clips of films with one of seven expressions, in five folds.",
    citation="Jiang et al., DFEW: a large-scale database for recognizing dynamic facial expressions in the wild, "
    "ACM MM 2020",
)
