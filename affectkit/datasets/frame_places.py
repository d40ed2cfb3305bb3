"""Which picture shows which labeled frame: by number, and where there is none, the nearest."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Literal

from affectkit.datasets.frame_folders import FrameFolder, FrameList, list_frames


@dataclass(frozen=True)
class Placed:
    """Pictures of labeled frames.

    Attributes:
        frames: number and picture, in the order of the numbers that were given.
        kept: places of those numbers; all of them, but for those that were dropped.
        missing: numbers without a picture of their own.
    """

    frames: FrameList
    kept: tuple[int, ...]
    missing: tuple[int, ...]


def place_frames(folder: FrameFolder, numbers: Items[int], missing: Literal["keep", "drop"]) -> Placed:
    """The picture of each number.

    Arguments:
        folder: with at least one picture.
        numbers: ascending.
        missing: what becomes of a number without a picture: `keep`, the nearest one stands in, the earlier of two that
            are as near; `drop`, it is left out.
    """
    names, held = folder.names, folder.numbers
    lost = tuple(number for number in numbers if number not in names)
    out = set(lost) if missing == "drop" else set()
    places = [at for at, number in enumerate(numbers) if number not in out]
    stay = [numbers[at] for at in places]
    shown = [names[number] if number in names else names[nearest(held, number)] for number in stay]
    return Placed(FrameList(folder.path, stay, shown), tuple(places), lost)


def place_listed(path: str, numbers: Items[int], names: Items[str], missing: Literal["keep", "drop"]) -> Placed | None:
    """As `place_frames`, where a list says the pictures' names; None if the folder has no picture.

    A release has many more pictures than the list names. So they are told by name where each is there, and only else
    is every name in the folder read.
    """
    if set(names) <= set(os.listdir(path)):
        return Placed(FrameList(path, numbers, names), tuple(range(len(numbers))), ())
    folder = list_frames(path)
    return place_frames(folder, numbers, missing) if folder.names else None


def nearest(numbers: Items[int], wanted: int) -> int:
    """The one of ascending `numbers` that is nearest to `wanted`, the lower of two."""
    at = bisect_left(numbers, wanted)
    return min(numbers[max(at - 1, 0) : at + 1], key=lambda number: abs(number - wanted))
