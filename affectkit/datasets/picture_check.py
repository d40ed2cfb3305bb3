"""Pictures of a dataset that can't be decoded, or are cut short. Readers open none, so this is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from affectkit.datasets.notes import counted, named
from affectkit.records import FramesSource, ImageSource, Index, Issue, Sample

_PNG_END = b"IEND\xaeB`\x82"
# Of a JPEG: neither a stuffed byte of the data, nor a restart within it.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_JPEG_END = b"\xd9"


def check_pictures(index: Index, progress: Callable[[int, int], None] | None = None) -> tuple[Issue, ...]:
    """An issue for each sample with pictures that no decoder takes whole. Each file is opened once.

    Arguments:
        index: what a reader found. Videos and stored arrays are not opened.
        progress: called with how many samples are done, and of how many.
    """
    seen: dict[Path, str | None] = {}
    issues = []
    for done, sample in enumerate(index, start=1):
        faults: dict[str, list[str]] = {}
        for path in dict.fromkeys(_pictures(sample)):
            if path not in seen:
                seen[path] = picture_fault(path)
            if (fault := seen[path]) is not None:
                faults.setdefault(fault, []).append(path.name)
        for fault, names in faults.items():
            fact = f"{counted(len(names), f'{fault} picture')}: {named(names)}; unpack again, or leave out"
            issues.append(Issue(level="warning", where=sample.key, fact=fact, sample=sample.key))
        if progress is not None:
            progress(done, len(index))
    return tuple(issues)


def picture_fault(path: Path) -> str | None:
    """Word for what is wrong with a file, as in `empty picture`; None where it decodes, and has its end."""
    import cv2
    import numpy as np

    try:
        data = path.read_bytes()
    except OSError:
        return "unreadable"
    if not data:
        return "empty"
    # decoders take half a picture for one, and only warn
    if not _has_end(data):
        return "truncated"
    return "undecodable" if cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None else None


def _has_end(data: bytes) -> bool:
    """Whether the end of a JPEG or PNG is in it, whatever lies behind that; True of formats that don't say it."""
    if data.startswith(b"\x89P"):
        return _PNG_END in data
    if not data.startswith(b"\xff\xd8"):
        return True
    at = 2
    # a thumbnail in a segment has an end of its own, so segments are stepped over
    while (found := _MARKER.search(data, at)) and found[1] != _JPEG_END:
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return found is not None


def _pictures(sample: Sample) -> Iterator[Path]:
    if isinstance(sample.source, FramesSource):
        yield from (path for _, path in sample.source.frames)
    elif isinstance(sample.source, ImageSource):
        yield sample.source.path
