"""Whether a file is shorter than its own container says: copied halfway, or the disk was full.

mp4 and mov are a row of boxes, each with its size; AVI and WebP say the size of the whole, and so does Matroska.
MPEG-TS and others say nothing, and what is missing there can't be noticed.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


class TruncatedWarning(UserWarning):
    """A video was read to its end, and its container says that it once was longer."""


def missing_bytes(path: Path) -> int:
    """How many bytes the container at `path` promises beyond the end of the file; 0 where it does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            end = 8 + struct.unpack("<I", head[4:8])[0] if len(head) >= 8 else 0
        elif head[4:8] in _BOXES:
            end = _end_of_boxes(file, size)
        elif head[:4] == _EBML:
            end = _end_of_segment(file)
        else:
            end = 0
    return max(end - size, 0)


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length = struct.unpack(">I", head[:4])[0]
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        # 0 stands for the rest of the file; other small numbers are no sizes
        if length < 8:
            break
        at += length
    return at


def _end_of_segment(file: BinaryIO) -> int:
    file.seek(4)
    header = _number(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length = _number(file)
    return 0 if length is None else file.tell() + length


def _number(file: BinaryIO) -> int | None:
    """A number of EBML, as long as its leading zero bits say; None where it stands for `unknown`."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    mask = (1 << (8 - length)) - 1
    value = int.from_bytes(bytes([first[0] & mask]) + rest, "big")
    unknown = (1 << (7 * length)) - 1
    return None if value == unknown or len(rest) < length - 1 else value
