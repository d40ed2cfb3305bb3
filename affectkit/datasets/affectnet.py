"""Dataset `affectnet`: AffectNet, pictures from the web with an expression, valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import AFFECT, ClassesConfig, Published
from affectkit.errors import ConfigError
from affectkit.specs import DatasetSpec, lazy

# Codes 0 to 10 of either release.
CODES = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt", "none", "uncertain",
    "no face",
)  # fmt: skip
_COUNTS = {"seven": {"train": 283_901, "validation": 3_500}, "eight": {"train": 287_651, "validation": 3_999}}


@dataclass(frozen=True, kw_only=True)
class AffectNetConfig(ClassesConfig):
    """AffectNet: pictures of faces from the web with one of eight expressions, valence and arousal.

    The current release has cut faces: `train_set/images/12.jpg`, and beside them `annotations/12_exp.npy`,
    `12_val.npy`, `12_aro.npy`. The original one has whole pictures and two tables,
    `Manually_Annotated_file_lists/training.csv` and `validation.csv`, with the box of each face, which `raw` keeps; its
    column of landmarks is not kept. It also has pictures of no expression, `none`, `uncertain` and `no face`, whose
    valence and arousal are -2, which is not valid. The test half was never released. Codes are in an order of their
    own; here classes are in that of `BASIC_8`. Nobody says who is seen.

    Attributes:
        release: `current` or `original`.
        split: `train`, `validation`, or `all`; also in `raw["split"]`.
        classes: `eight`; `seven`, without contempt.
        va: name of the head that valence and arousal are for.
    """

    dataset: ClassVar[str] = "affectnet"
    signs: ClassVar[tuple[str, ...]] = ("train_set", "val_set", "Manually_Annotated*")
    release: Literal["current", "original"] = "current"
    split: Literal["all", "train", "validation"] = "all"
    classes: Literal["seven", "eight"] = "eight"
    va: str = "va"

    def validate(self) -> None:
        super().validate()
        if not self.va or self.va == self.target:
            raise ConfigError(f"{self.va!r} is no head of its own", "write another name, such as 'va'", path="va")
        if self.table is not None:
            raise ConfigError(f"{self.table!r}: there are two tables, or none", "leave it out", path="table")

    @property
    def label_names(self) -> Mapping[str, tuple[str, ...]]:
        return {**super().label_names, self.va: AFFECT}

    @property
    def published(self) -> Published:
        # the current release has no picture without an expression; the tables of the original one have
        if self.dropped == "omit":
            counts = _COUNTS[self.classes]
        else:
            counts = _COUNTS["eight"] if self.release == "current" else {}
        halves = ("train", "validation") if self.split == "all" else (self.split,)
        samples = sum(counts[half] for half in halves) if counts else None
        return Published(samples=samples, source="papers that train on it")


SPEC = DatasetSpec(
    name="affectnet",
    config=AffectNetConfig,
    factory=lazy("affectkit.datasets.affectnet_reader:AffectNet"),
    summary="AffectNet: pictures with one of eight expressions, valence and arousal; both releases.",
    citation="Mollahosseini et al., AffectNet, IEEE Transactions on Affective Computing 10(1), 2019, arXiv:1708.03985",
)
