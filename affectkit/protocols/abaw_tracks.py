"""Tracks of the ABAW challenges whose answers are frame by frame, and what a line of an answer holds.

| track | answer |
|---|---|
| `abaw3-va`, `abaw3-expr`, `abaw3-au` | a file per video, with the header of the annotations and a line per frame |
| `abaw5-`, `abaw6-`, `abaw8-` with `va`, `expr`, `au` | one file, in the order of the sample |
| `abaw4-mtl`, `abaw7-mtl` | the same; 16 fields below a header of 5 names |
| `abaw6-ce`, `abaw7-ce` | the same; compound expressions |

Not covered, since their format is not known well enough or they are not of frames: the first two challenges, the
multi-task track of the 3rd, the synthetic data of the 4th, and intensities, mimicry and ambivalence of the 5th to 8th.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence as Items
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from affectkit.data.labels import ABAW_8, ABAW_AUS, COMPOUND_7
from affectkit.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AFFECT = ("valence", "arousal")
MTL_HEADER = ("image", "valence", "arousal", "expression", "aus")


@dataclass(frozen=True)
class Part:
    """Neighboring fields of a line that one head predicts.

    Attributes:
        kind: `values`, numbers in [-1, 1]; `class`, one index of a class; `bits`, 0 or 1 for each.
        output: the head's usual name.
        targets: in the order of the fields, or of the index.
    """

    kind: Literal["values", "class", "bits"]
    output: str
    targets: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many fields."""
        return 1 if self.kind == "class" else len(self.targets)

    def encode(self, predictions: NDArray[np.float64]) -> list[str]:
        """Fields of each frame with commas between, from values or probabilities `(N, len(targets))`.

        A class is the most probable one, the first of equals; a bit is 1 from a probability of 0.5; values are clipped
        to [-1, 1].
        """
        if self.kind == "class":
            return [str(index) for index in predictions.argmax(axis=1)]
        if self.kind == "bits":
            return [",".join("1" if bit else "0" for bit in row) for row in (predictions >= 0.5).tolist()]
        # 0 is added, since nobody wants to read -0.000000
        rounded = predictions.clip(-1, 1).round(6) + 0.0
        return [",".join(f"{value:.6f}" for value in row) for row in rounded.tolist()]

    def fault(self, fields: Items[str]) -> str | None:
        """What is wrong with fields of an answer, and what would be right; None if nothing is."""
        for name, text in zip(self.targets, fields, strict=False):
            if self.kind == "values" and not _is_affect(text):
                return f"{name} is {text!r}; write a number from -1 to 1"
            if self.kind == "bits" and text not in ("0", "1"):
                return f"{name} is {text!r}; write 0 or 1"
            if self.kind == "class" and not (text.isdecimal() and int(text) < len(self.targets)):
                return f"the class is {text!r}; write one index from 0 to {len(self.targets) - 1}"
        return None


@dataclass(frozen=True)
class Track:
    """One track of one challenge.

    Attributes:
        name: `abaw7-mtl`.
        parts: of its usual header.
        is_per_video: whether an answer is a file per video.
    """

    name: str
    parts: tuple[Part, ...]
    is_per_video: bool = False

    @property
    def header(self) -> str:
        """Line above the annotations of a video, as its answers have it."""
        (part,) = self.parts
        names = part.targets if part.kind != "class" else tuple(name.title() for name in part.targets)
        return ",".join(names)

    def parts_of(self, header: str, where: str) -> tuple[Part, ...]:
        """Parts in the order that the header of a sample says; what a name means never depends on its place.

        Raises:
            InputError: it is no header of this track.
        """
        names = [name.strip() for name in header.split(",")]
        if len(self.parts) > 1:
            if tuple(name.lower() for name in names) == MTL_HEADER:
                return self.parts
        else:
            (part,) = self.parts
            found = tuple(names[1:]) if part.kind == "bits" else tuple(name.lower() for name in names[1:])
            if len(set(found)) == len(found) and set(found) == set(part.targets):
                return (Part(part.kind, part.output, found),)
        wanted = ",".join(MTL_HEADER) if len(self.parts) > 1 else f"image_location,{self.header}"
        raise InputError(f"{where}: {header!r} is no header of {self.name}; expected {wanted!r}, names in any order")


def find_track(name: str) -> Track:
    """The track of that name.

    Raises:
        InputError: there is none.
    """
    if name not in TRACKS:
        raise InputError(f"{name}: no track of that name; {did_you_mean(name, TRACKS, noun='tracks')}")
    return TRACKS[name]


def _is_affect(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and -1 <= value <= 1


_VA = Part("values", "va", AFFECT)
_EXPR = Part("class", "expr", ABAW_8)
_AU = Part("bits", "au", ABAW_AUS)
_CE = Part("class", "compound", COMPOUND_7)
_PARTS: Mapping[str, tuple[Part, ...]] = {
    "va": (_VA,), "expr": (_EXPR,), "au": (_AU,), "mtl": (_VA, _EXPR, _AU), "ce": (_CE,),
}  # fmt: skip
_YEARS: Mapping[int, tuple[str, ...]] = {
    3: ("va", "expr", "au"), 4: ("mtl",), 5: ("va", "expr", "au"), 6: ("va", "expr", "au", "ce"), 7: ("mtl", "ce"),
    8: ("va", "expr", "au"),
}  # fmt: skip
TRACKS: Mapping[str, Track] = {
    f"abaw{year}-{kind}": Track(f"abaw{year}-{kind}", _PARTS[kind], is_per_video=year == 3)
    for year, kinds in _YEARS.items()
    for kind in kinds
}
