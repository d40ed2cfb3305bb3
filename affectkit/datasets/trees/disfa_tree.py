"""Synthetic DISFA.

Oddities of the release: a file per action unit, whose names sort as `au1`, `au12`, `au2`; lines from 1, and extracted
pictures from 0; two cameras.
"""

from __future__ import annotations

from affectkit.datasets.disfa import FREQUENT, UNITS
from affectkit.datasets.trees.writing import Writer

PEOPLE = ("SN001", "SN013", "SN003")
LINES = 20
THRESHOLD = 2


def write(writer: Writer) -> None:
    """Twelve files, two videos and a folder of pictures of each of three people, one of each part."""
    for person in PEOPLE:
        codes = {unit: writer.rng.integers(0, 6, LINES).tolist() for unit in UNITS}
        for unit, own in codes.items():
            lines = "".join(f"{frame},{code}\n" for frame, code in enumerate(own, start=1))
            writer.write_text(f"ActionUnit_Labels/{person}/{person}_au{unit[2:]}.txt", lines)
        for side in ("Left", "Right"):
            # no reader opens it
            writer.write_bytes(f"Video_{side}Camera/{side}Video{person}_comp.avi", b"")
        writer.write_frames(f"pictures/{person}", (f"{frame}.png" for frame in range(LINES)))
        rows = zip(*(codes[unit] for unit in FREQUENT), strict=True)
        labels = tuple(tuple(float(code >= THRESHOLD) for code in row) for row in rows)
        file = f"LeftVideo{person}_comp.avi"
        writer.expect_labeled(person, f"disfa/{person[2:]}", file=file, au=labels)
