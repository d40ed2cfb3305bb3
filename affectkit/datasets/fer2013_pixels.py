"""The table of FER2013, whose pixels are text, and the array that they are unpacked to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affectkit.datasets.notes import Notes
from affectkit.errors import InputError
from affectkit.records import ArraySource, Issue

SIDE = 48
ARRAY = "fer2013.npy"
SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
# Rows are of 8 kB, as the usual buffer is.
_BUFFER = 1 << 20
_HEADER = ["emotion", "pixels", "Usage"]


@dataclass(frozen=True)
class PixelRow:
    """A row of the table.

    Attributes:
        index: from 0.
        where: file and row.
        emotion, usage: text of the cells.
        line: the whole row.
        span: where in the line the pixels are, 2304 numbers as text if `count` says so.
        count: how many there are.
    """

    index: int
    where: str
    emotion: str
    usage: str
    line: bytes
    span: tuple[int, int]
    count: int


@dataclass(frozen=True)
class Unpacked:
    """What `unpack_pixels` left.

    Attributes:
        path: of the array.
        unread: rows that are no pictures, and black in it.
    """

    path: Path
    unread: frozenset[int] = frozenset()

    def find(self, row: int, where: str, key: str, notes: Notes) -> ArraySource | None:
        """The picture of a row; None, with a note, where there is none."""
        if row in self.unread:
            fact = (
                "its row of fer2013.csv could not be unpacked; take the table as it was released, and unpack it again"
            )
            notes.add("error", where, fact, key)
            return None
        return ArraySource(path=self.path, index=row)


def read_pixel_rows(table: Path) -> Iterator[PixelRow]:
    """Rows of `fer2013.csv`, one at a time. No number is read: the table has 83 million.

    Raises:
        InputError: it has another header.
    """
    with table.open("rb", buffering=_BUFFER) as file:
        header = file.readline().decode("utf-8-sig", "replace")
        if [name.strip() for name in header.split(",")] != _HEADER:
            raise InputError(f"{table} row 1: {header.strip()[:60]!r} is not {','.join(_HEADER)!r}; give fer2013.csv")
        lines = (line for line in file if not line.isspace())
        for index, line in enumerate(lines):
            # a row of 8 kB is not copied: that would take longer than all else
            start, stop = line.find(b",") + 1, max(line.rfind(b","), 0)
            yield PixelRow(
                index=index,
                where=f"{table.name} row {index + 2}",
                emotion=line[: max(start - 1, 0)].decode("utf-8", "replace").strip('" '),
                usage=line[stop + 1 :].decode("utf-8", "replace").strip('" \r\n'),
                line=line,
                span=(start, stop),
                count=line.count(b" ", start, stop) + 1,
            )


def unpack_pixels(table: Path, out: Path) -> tuple[Issue, ...]:
    """Write the pictures of `fer2013.csv` as one array of uint8, `(rows, 48, 48)`.

    Arguments:
        table: the file.
        out: the array; written under another name and renamed, so that it is whole or not there. Behind it, in the
            same file, the numbers of the rows that are no pictures.

    Returns:
        An issue for each row that is no picture. It is black in the array, so that rows keep their places.

    Raises:
        InputError: the table has another header.
    """
    import numpy as np

    notes, data = Notes(), bytearray()
    unread: list[int] = []
    for row in read_pixel_rows(table):
        words = row.line[slice(*row.span)].strip(b'"').split()
        try:
            # numbers above 255 are refused here
            picture = bytes(map(int, words))
        except ValueError:
            picture = b""
        if len(picture) != SIDE * SIDE:
            fact = f"no {SIDE * SIDE} numbers from 0 to 255; take the table as it was released"
            notes.add("error", row.where, fact)
            picture = bytes(SIDE * SIDE)
            unread.append(row.index)
        data += picture
    unfinished = out.with_name(f"{out.name}.part")
    with unfinished.open("wb") as file:
        np.save(file, np.frombuffer(data, dtype=np.uint8).reshape(-1, SIDE, SIDE))
        np.save(file, np.array(unread, dtype=np.int64))
    unfinished.replace(out)
    return tuple(notes.issues)


def check_array(root: Path, rows: int, notes: Notes) -> Unpacked:
    """The array beside a table of `rows` rows; a note if it is not there yet.

    Raises:
        InputError: it is another array, or damaged.
    """
    path = root / ARRAY
    if not path.is_file():
        fact = "is not there, so no picture can be read; make it once with `affectkit data unpack`"
        notes.add("warning", ARRAY, fact)
        return Unpacked(path)
    import numpy as np

    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        unread = _read_unread(path, array.offset + array.nbytes)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: no array; run affectkit data unpack {root}") from error
    if array.shape != (rows, SIDE, SIDE) or array.dtype != np.uint8:
        fact = f"{array.dtype} {array.shape} for a table of {rows} rows"
        raise InputError(f"{path}: {fact}; run affectkit data unpack {root}")
    return Unpacked(path, unread)


def _read_unread(path: Path, end: int) -> frozenset[int]:
    """Numbers behind the pictures, which end there; none where the file does."""
    import numpy as np

    with path.open("rb") as file:
        file.seek(end)
        return frozenset(np.load(file, allow_pickle=False).tolist() if path.stat().st_size > end else ())
