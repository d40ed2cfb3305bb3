"""From numbers in the files of the ABAW challenges to labels of frames: what stands for none, and what can't be.

| head | valid | stands for none |
|---|---|---|
| valence and arousal | both in [-1, 1] | -5 in either |
| expression | a class of the header, by its number | -1 |
| action units | 0 or 1 | -1, each on its own |

A frame with anything else is odd: its label is not valid, and whoever reads the file counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from affectkit.records import Labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_AFFECT = -5.0
NO_CLASS = -1.0


@dataclass(frozen=True)
class FrameLabels:
    """Labels of frames, and what was not as it should be.

    Attributes:
        labels: values `(T,)` or `(T, K)`; 0 where not valid.
        odd: bool `(T,)`, True where a number can't be.
        oddity: what such a line has, for issues.
        left_out: how many frames have a class that was not asked for, by its name.
    """

    labels: Labels
    odd: NDArray[np.bool_]
    oddity: str
    left_out: Counter[str] = field(default_factory=Counter)


def label_affect(values: NDArray[np.float64]) -> FrameLabels:
    """Valence and arousal `(T, 2)`, in this order. A row counts as a whole."""
    import numpy as np

    inside = np.all(np.abs(values) <= 1, axis=1)
    valid = np.repeat(inside[:, None], 2, axis=1)
    odd = ~inside & ~(values == NO_AFFECT).any(axis=1)
    labels = Labels(np.where(valid, values, 0).astype(np.float32), valid)
    return FrameLabels(labels, odd, "valence or arousal outside [-1, 1], and not -5")


def label_expression(codes: NDArray[np.float64], names: Items[str], classes: Items[str]) -> FrameLabels:
    """Numbers `(T,)` of the file's own classes to indices of `classes`, by name.

    Arguments:
        codes: place in `names`, from 0.
        names: classes in the order of the file's header.
        classes: those that are asked for, in the order of the index.
    """
    import numpy as np

    known = np.isin(codes, np.arange(len(names)))
    places = np.where(known, codes, 0).astype(np.int64)
    index = np.array([classes.index(name) if name in classes else -1 for name in names], dtype=np.int64)[places]
    valid = known & (index >= 0)
    counts = np.bincount(places[known & (index < 0)], minlength=len(names))
    left_out = Counter({name: int(count) for name, count in zip(names, counts, strict=True) if count})
    oddity = f"an expression that is none of 0 to {len(names) - 1}, and not -1"
    return FrameLabels(Labels(np.where(valid, index, 0), valid), ~known & (codes != NO_CLASS), oddity, left_out)


def label_units(values: NDArray[np.float64], names: Items[str], units: Items[str]) -> FrameLabels:
    """Occurrence `(T, len(names))` to `(T, len(units))`, by name; a unit that is not in the file is never valid."""
    import numpy as np

    occurs = (values == 0) | (values == 1)
    valid = np.zeros((len(values), len(units)), dtype=bool)
    found = np.zeros((len(values), len(units)), dtype=np.float32)
    for place, unit in enumerate(units):
        if unit in names:
            at = list(names).index(unit)
            valid[:, place] = occurs[:, at]
            found[:, place] = np.where(occurs[:, at], values[:, at], 0)
    odd = (~occurs & (values != NO_CLASS)).any(axis=1)
    return FrameLabels(Labels(found, valid), odd, "a unit that is neither 0 nor 1, and not -1")


def parse_numbers(lines: Items[str], width: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Lines of `width` numbers with commas between as `(T, width)`, and which lines are such; of others, NaN.

    Equals `parse_numbers_ref`, and takes less time where every line is of numbers.
    """
    import numpy as np

    readable = np.fromiter((line.count(",") == width - 1 for line in lines), dtype=bool, count=len(lines))
    values = np.full((len(lines), width), np.nan)
    whole = list(lines) if readable.all() else [line for line, fits in zip(lines, readable, strict=True) if fits]
    # loadtxt passes over blank lines, which only a single column can have
    if width == 1 and not all(line.strip() for line in whole):
        return parse_numbers_ref(lines, width)
    try:
        if whole:
            values[readable] = np.loadtxt(whole, delimiter=",", dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        return parse_numbers_ref(lines, width)
    return values, readable


def parse_numbers_ref(lines: Items[str], width: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The plain twin of `parse_numbers`, which also takes lines of words."""
    import numpy as np

    values = np.full((len(lines), width), np.nan)
    readable = np.zeros(len(lines), dtype=bool)
    for at, line in enumerate(lines):
        try:
            numbers = [float(cell) for cell in line.split(",")]
        except ValueError:
            continue
        if len(numbers) == width:
            values[at], readable[at] = numbers, True
    return values, readable
