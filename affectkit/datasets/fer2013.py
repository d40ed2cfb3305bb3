"""Dataset `fer2013`: FER2013, gray pictures of 48 by 48 pixels in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClassesConfig, Published
from affectkit.specs import DatasetSpec, lazy

# Labels 0 to 6 of the table.
CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
COUNTS = {"train": 28_709, "validation": 3_589, "test": 3_589}


@dataclass(frozen=True, kw_only=True)
class Fer2013Config(ClassesConfig):
    """FER2013: 35 887 gray pictures of faces, each with one of seven expressions. Nobody says who is seen.

    The folder holds `fer2013.csv`, in which the pixels are text. `affectkit data unpack` writes them to `fer2013.npy`
    beside it, once; a sample is a picture in that array. Keys are rows of the table from 0, with five digits. The table
    counts classes in an order of its own; here they are in that of `BASIC_7`. Some pictures are there twice, also in
    two parts of the split.

    Attributes:
        split: `train`, `validation` (`PublicTest`), `test` (`PrivateTest`), or `all`; also in `raw["split"]`.
    """

    dataset: ClassVar[str] = "fer2013"
    tables: ClassVar[tuple[str, ...]] = ("fer2013.csv",)
    classes: ClassVar[str] = "basic"
    split: Literal["all", "train", "validation", "test"] = "all"

    @property
    def published(self) -> Published:
        samples = sum(COUNTS.values()) if self.split == "all" else COUNTS[self.split]
        return Published(samples=samples, source="code that reads fer2013.csv")


SPEC = DatasetSpec(
    name="fer2013",
    config=Fer2013Config,
    factory=lazy("affectkit.datasets.fer2013_reader:Fer2013"),
    summary="FER2013: gray pictures of 48 by 48 pixels with one of seven expressions.",
    citation="Goodfellow et al., Challenges in representation learning, ICONIP 2013, arXiv:1307.0414",
)
