"""Folders of frames. A frame is found by the number that its name says; no path is ever made from a number.

Releases pad numbers in many ways, within one set too (`img1.jpg` and `img001.jpg`), so a folder is listed and every
name is read: its last run of digits is the number.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
# As deep as a release nests its clips, with room for a folder that was unpacked into one of its own name.
_DEEPEST = 8
_LAST_DIGITS = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class FrameFolder:
    """What a folder of pictures holds.

    Attributes:
        path: of the folder.
        names: names of the pictures by frame number, ascending.
        doubles: names whose number another picture has already.
        unnumbered: names of pictures without a digit.
    """

    path: str
    names: dict[int, str]
    doubles: tuple[str, ...] = ()
    unnumbered: tuple[str, ...] = ()

    @cached_property
    def numbers(self) -> list[int]:
        """Frame numbers, ascending."""
        return list(self.names)

    def frames(self, first: int, last: int) -> FrameList:
        """The frames from number `first` to `last`, both included, as far as they are there."""
        start, stop = bisect_left(self.numbers, first), bisect_right(self.numbers, last)
        return FrameList(self.path, self.numbers[start:stop], [self.names[n] for n in self.numbers[start:stop]])


class FrameList(Items[tuple[int, Path]]):
    """Number and path of frames, as a tuple of pairs would hold them; a path is made when it is asked for.

    Making 200 000 paths takes longer than listing their folders, and a scan needs none of them.
    """

    __slots__ = ("_folder", "_names", "numbers")

    def __init__(self, folder: str, numbers: Items[int], names: Items[str]) -> None:
        self._folder, self.numbers, self._names = folder, tuple(numbers), tuple(names)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> tuple[int, Path]: ...
    @overload
    def __getitem__(self, at: slice) -> FrameList: ...
    def __getitem__(self, at: int | slice) -> tuple[int, Path] | FrameList:
        if isinstance(at, slice):
            return FrameList(self._folder, self.numbers[at], self._names[at])
        return self.numbers[at], Path(self._folder, self._names[at])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrameList):
            return (self._folder, self.numbers, self._names) == (other._folder, other.numbers, other._names)
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        shown = f"{self.numbers[0]} to {self.numbers[-1]}" if self.numbers else "none"
        return f"FrameList({self._folder!r}, {len(self)} frames: {shown})"


def frame_number(name: str) -> int | None:
    """The last run of digits of a picture's name without its ending; None where there is none.

    `img46.jpg`, `006_05562.jpg`, `reg_image001234.bmp`, `image 12.jpg` give 46, 5562, 1234, 12.
    """
    found = _LAST_DIGITS.search(name.rpartition(".")[0])
    return int(found[1]) if found else None


def list_frames(path: str | Path) -> FrameFolder:
    """The pictures of a folder by number, whatever the order in which the file system gives them."""
    names: dict[int, str] = {}
    doubles, unnumbered = [], []
    for name in sorted(os.listdir(path)):
        if not name.lower().endswith(PICTURES) or name.startswith("."):
            continue
        number = frame_number(name)
        if number is None:
            unnumbered.append(name)
        elif number in names:
            doubles.append(name)
        else:
            names[number] = name
    return FrameFolder(str(path), dict(sorted(names.items())), tuple(doubles), tuple(unnumbered))


def find_folders(base: str | Path, pattern: re.Pattern[str], *, skip: re.Pattern[str] | None = None) -> list[str]:
    """Paths of the folders below `base` whose whole name fits `pattern`, sorted; nothing below a hit is looked at.

    Arguments:
        base: where to look, at most eight folders deep.
        pattern: of a name, as `re.fullmatch` takes it.
        skip: names of folders that are not entered.
    """
    found: list[str] = []
    pending = [(str(base), 0)]
    while pending:
        folder, depth = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_dir() or (skip and skip.fullmatch(entry.name)):
                    continue
                if pattern.fullmatch(entry.name):
                    found.append(entry.path)
                elif depth < _DEEPEST:
                    pending.append((entry.path, depth + 1))
    return sorted(found)
