"""Dataset `4dme`: 4DME, of which the gray videos of micro-expressions are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.base import ClipsConfig, Published
from affectkit.specs import DatasetSpec, lazy


@dataclass(frozen=True, kw_only=True)
class FourDmeConfig(ClipsConfig):
    """4DME: gray clips at 60 frames per second, each with onset, apex, offset, action units and one or more emotions.

    The folder holds `4DME_Labelling_Micro_release v1.xlsx`, and clips in `gray_micro/<sub_ID>/<fold_name>`. The layout
    is known from one public reader alone. A clip with several emotions (`Surprise+Positive`) is in no single class, so
    its label is not valid; its words stay in `raw`.

    Attributes:
        frames: which frames: `original` (`gray_micro`) or `cropped` (`gray_micro_crop`).
        classes: `annotated`: positive, negative, surprise, repression, others.
    """

    dataset: ClassVar[str] = "4dme"
    tables: ClassVar[tuple[str, ...]] = ("4DME*Micro*.xlsx", "4DME*Micro*.csv")
    frames: Literal["original", "cropped"] = "original"
    classes: Literal["annotated"] = "annotated"

    @property
    def published(self) -> Published:
        return Published(samples=267, source="a public reader")


SPEC = DatasetSpec(
    name="4dme",
    config=FourDmeConfig,
    factory=lazy("affectkit.datasets.four_dme_reader:FourDme"),
    summary="4DME: micro-expressions, gray video at 60 frames per second.",
    citation="Li et al., 4DME: a spontaneous 4D micro-expression dataset with multimodalities, IEEE TAFFC 14(4), 2023",
)
