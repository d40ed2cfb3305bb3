"""Dataset `aff-wild2`: Aff-Wild2, videos in the wild with labels of every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.datasets.abaw import AbawConfig
from affectkit.datasets.base import Published
from affectkit.specs import DatasetSpec, lazy


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
        split: which half the owners put a video in. A video may be in different halves of different challenges.
    """

    signs: ClassVar[tuple[str, ...]] = (
        "3rd?ABAW*", "Third?ABAW*", "5th?ABAW*", "6th?ABAW*", "8th?ABAW*", "VA_Set", "EXPR_Set", "AU_Set",
        "VA_Estimation_Challenge", "EXPR_*_Challenge", "AU_Detection_Challenge",
    )  # fmt: skip
    challenge: Literal["all", "va", "expr", "au"] = "all"
    split: Literal["train", "validation"] = "train"

    @property
    def published(self) -> Published:
        # counted by participants among the frames that have a picture; without one, among expressions alone
        with_picture, without = {
            "train": ({self.va: 1_653_930, self.expr: 585_317, self.au: 1_359_519}, 12_044),
            "validation": ({self.va: 376_332, self.expr: 280_532, self.au: 445_836}, 3_698),
        }[self.split]
        kept = {self.expr: with_picture[self.expr] + without}
        source = "loaders of participants of the 6th challenge"
        return Published(frames=with_picture if self.missing == "drop" else kept, source=source)


SPEC = DatasetSpec(
    name="aff-wild2",
    config=AffWild2Config,
    factory=lazy("affectkit.datasets.aff_wild2_reader:AffWild2"),
    summary="Aff-Wild2: videos in the wild with valence, arousal, expression and action units of every frame.",
    citation="Kollias and Zafeiriou, Aff-Wild2: extending the Aff-Wild database for affect recognition, 2018",
)
