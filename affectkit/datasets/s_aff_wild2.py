"""Dataset `s-aff-wild2`: s-Aff-Wild2, the frames of Aff-Wild2 that the multi-task challenges list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.data.labels import ABAW_8
from affectkit.datasets.abaw import AbawConfig
from affectkit.datasets.base import Published
from affectkit.specs import DatasetSpec, lazy

# Frames with valence and arousal, an expression, and units; and frames of each expression.
_FRAMES = {"train": (103_917, 90_645, 103_316), "validation": (26_876, 15_440, 26_876)}
_CLASSES = {
    "train": (23_976, 4555, 3168, 3122, 18_135, 7609, 5228, 24_852),
    "validation": (1886, 487, 565, 1254, 3751, 1893, 1003, 4601),
}


@dataclass(frozen=True, kw_only=True)
class SAffWild2Config(AbawConfig):
    """s-Aff-Wild2: frames of Aff-Wild2 with any of three labels, one list per split; of the 4th and 7th ABAW challenge.

    The list lies in the folder, in `MTL_Challenge`, or in a folder of annotations; the pictures in `cropped_aligned`.
    Its header names 5 columns and its rows have 16 fields: picture, valence, arousal, expression, twelve action units.
    A list without the header is read too.

    A sample is a person in a video, with the frames that are listed: 1, 8, 17, 21. `times` have the real gaps, at
    (number - 1) / fps. The subject is the movie, as in `aff-wild2`, whose keys and subjects it shares.

    Attributes:
        table: the list, where it has another name; with `split="all"` the folder of both, where there are several.
        split: `train`, `validation`, or `all` for both lists; `test` is the list of pictures to predict, which has no
            labels. Also in `raw["split"]`.
    """

    tables: ClassVar[tuple[str, ...]] = (
        "training_set_annotations.txt", "validation_set_annotations.txt", "train_set.txt", "validation_set.txt",
    )  # fmt: skip
    signs: ClassVar[tuple[str, ...]] = ("4th?ABAW*", "7th?ABAW*", "MTL_Challenge", "MTL.txt", *tables)
    split: Literal["all", "train", "validation", "test"] = "train"

    @property
    def published(self) -> Published:
        source = "a participant of the 7th challenge"
        if self.split == "test" or self.shared == "drop":
            return Published(source=source)
        halves = tuple(_FRAMES) if self.split == "all" else (self.split,)
        frames = [sum(counts) for counts in zip(*(_FRAMES[half] for half in halves), strict=True)]
        classes = [sum(counts) for counts in zip(*(_CLASSES[half] for half in halves), strict=True)]
        heads = dict(zip((self.va, self.expr, self.au), frames, strict=True))
        return Published(frames=heads, classes=dict(zip(ABAW_8, classes, strict=True)), source=source)


SPEC = DatasetSpec(
    name="s-aff-wild2",
    config=SAffWild2Config,
    factory=lazy("affectkit.datasets.s_aff_wild2_reader:SAffWild2"),
    summary="s-Aff-Wild2: frames of Aff-Wild2 with valence and arousal, expression and action units, each or all.",
    citation="Kollias et al., 7th ABAW competition: multi-task learning and compound expression recognition, 2024",
)
