"""Dataset `aff-wild2`: Aff-Wild2, videos in the wild with labels of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.abaw import AbawConfig
from affectkit.datasets.base import Published
from affectkit.specs import DatasetSpec, lazy

# Counted by participants: frames of each challenge that have a picture, and frames with an expression that have none.
_FRAMES = {"train": (1_653_930, 585_317, 1_359_519), "validation": (376_332, 280_532, 445_836)}
_WITHOUT = {"train": 12_044, "validation": 3_698}


@dataclass(frozen=True, kw_only=True)
class AffWild2Config(AbawConfig):
    """Aff-Wild2: people in videos from the web, with valence and arousal, an expression, and action units per frame.

    The folder holds the annotations of one ABAW challenge (`6th ABAW Annotations`, or `VA_Set`, `EXPR_Set` and `AU_Set`
    of the first two), and the pictures beside them (`cropped_aligned`). Line i below the header of an annotation is of
    the picture with number i. Which class or unit a number means is what its file's header says.

    Nobody says who the people are, so the subject is the movie: two people on one screen (`_left`, `_right`) are two
    samples of one subject. Frame i is at (i - 1) / fps seconds of the movie.

    Attributes:
        table: folder of the annotations, seen from the dataset's folder, where there are those of several challenges.
        challenge: whose labels: `va`, `expr`, `au`, or `all` of those that are there, joined by frame number.
        split: which half the owners put a video in, `train`, `validation`, or `all`; also in `raw["split"]`. A video
            may be in different halves of different challenges: of `all` it is then in `validation`, with the labels
            that it has there.
    """

    signs: ClassVar[tuple[str, ...]] = (
        "3rd?ABAW*", "Third?ABAW*", "5th?ABAW*", "6th?ABAW*", "8th?ABAW*", "VA_Set", "EXPR_Set", "AU_Set",
        "VA_Estimation_Challenge", "EXPR_*_Challenge", "AU_Detection_Challenge",
    )  # fmt: skip
    challenge: Literal["all", "va", "expr", "au"] = "all"
    split: Literal["all", "train", "validation"] = "train"

    @property
    def published(self) -> Published:
        source = "loaders of participants of the 6th challenge"
        # of videos in halves of two challenges, only one is read
        if self.shared == "drop" or (self.split == "all" and self.challenge == "all"):
            return Published(source=source)
        halves = tuple(_FRAMES) if self.split == "all" else (self.split,)
        frames = [sum(counts) for counts in zip(*(_FRAMES[half] for half in halves), strict=True)]
        with_picture = dict(zip((self.va, self.expr, self.au), frames, strict=True))
        kept = {self.expr: with_picture[self.expr] + sum(_WITHOUT[half] for half in halves)}
        return Published(frames=with_picture if self.missing == "drop" else kept, source=source)


SPEC = DatasetSpec(
    name="aff-wild2",
    config=AffWild2Config,
    factory=lazy("affectkit.datasets.aff_wild2_reader:AffWild2"),
    summary="Aff-Wild2: videos in the wild with valence, arousal, expression and action units of every frame.",
    citation="Kollias and Zafeiriou, Aff-Wild2: extending the Aff-Wild database for affect recognition, 2018",
)
