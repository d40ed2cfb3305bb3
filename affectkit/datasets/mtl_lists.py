"""Lists of frames of the ABAW multi-task challenges: a header of 5 names over rows of 16 fields.

    image,valence,arousal,expression,aus
    46-30-484x360_left/00042.jpg,-5,-5,3,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1

Readers of tables that go by the header take fields for others. A list of frames to predict has one field and a comma.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.datasets.frame_folders import frame_number
from affectkit.datasets.frame_labels import parse_numbers
from affectkit.datasets.label_files import text_lines
from affectkit.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MTL_HEADER = ("image", "valence", "arousal", "expression", "aus")
# Valence, arousal, expression and twelve action units.
WIDTH = 15


@dataclass(frozen=True)
class MtlList:
    """Rows in the order of the list.

    Attributes:
        name: of the file, for issues.
        first_line: line of the first row, from 1.
        videos: rows by video, as places from 0.
        names: of the pictures.
        numbers: of the pictures; -1 where a name has none, or the row names no video.
        values: `(N, 15)`; None in a list of frames to predict.
        readable: `(N,)`, False where a row is not of 16 fields with 15 numbers.
    """

    name: str
    first_line: int
    videos: dict[str, list[int]]
    names: list[str]
    numbers: list[int]
    values: NDArray[np.float64] | None
    readable: NDArray[np.bool_]


def read_mtl_list(path: Path) -> MtlList:
    """Read a list, with or without its header, with labels or without.

    Raises:
        InputError: it is no text, has another header, or no rows.
    """
    import numpy as np

    lines = text_lines(path)
    start = 0
    if lines and "/" not in lines[0].partition(",")[0]:
        start = 1
        names = tuple(name.strip().lower() for name in lines[0].split(","))
        if names != MTL_HEADER:
            raise InputError(f"{path}, line 1: {lines[0]!r} is no header of a list; expected {','.join(MTL_HEADER)!r}")
    del lines[:start]
    if not lines:
        raise InputError(f"{path}: no rows; unpack it again")
    videos: dict[str, list[int]] = {}
    pictures: list[str] = []
    numbers: list[int] = []
    rest: list[str] = []
    # videos share the names of their pictures
    known: dict[str, int | None] = {}
    for at, line in enumerate(lines):
        image, _, fields = line.partition(",")
        video, _, picture = image.strip().rpartition("/")
        if picture not in known:
            known[picture] = frame_number(picture)
        number = known[picture] if video else None
        if number is not None:
            videos.setdefault(video, []).append(at)
        pictures.append(picture)
        numbers.append(-1 if number is None else number)
        rest.append(fields)
    if not any(rest):
        return MtlList(path.name, start + 1, videos, pictures, numbers, None, np.ones(len(rest), dtype=bool))
    values, readable = parse_numbers(rest, WIDTH)
    return MtlList(path.name, start + 1, videos, pictures, numbers, values, readable)
