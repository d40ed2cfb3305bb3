"""Synthetic BP4D.

Oddities of the release: the column of frames is called `0`; coded stretches that begin anywhere; code 9 where nobody
could tell; units that nobody asks for; pictures with and without zeros before the number, and more of them than codes.
"""

from __future__ import annotations

from affectkit.datasets.bp4d import Bp4dConfig
from affectkit.datasets.trees.writing import Writer, span

# sample, first and last coded frame, digits of the pictures' names
STRETCHES = (("F001_T1", 2440, 2452, 4), ("F001_T2", 5, 14, 4), ("M011_T1", 98, 104, 1), ("M015_T8", 31, 40, 3))
CODED = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 23, 24)
AROUND = 3


def write(writer: Writer) -> None:
    """Four tables and as many folders of pictures; people of each part."""
    units = Bp4dConfig().units
    for key, first, last, digits in STRETCHES:
        person, task = key.split("_")
        rows = [",".join(map(str, (0, *CODED)))]
        labels = []
        for frame in span(first, last):
            codes = dict(zip(CODED, writer.rng.choice((0, 1, 9), len(CODED)).tolist(), strict=True))
            rows.append(",".join(map(str, (frame, *codes.values()))))
            asked = [codes[int(unit[2:])] for unit in units]
            labels.append(tuple(None if code == 9 else float(code) for code in asked))
        writer.write_text(f"AUCoding/AU_OCC/{key}.csv", "".join(f"{row}\n" for row in rows))
        around = span(max(first - AROUND, 0), last + AROUND)
        writer.write_frames(f"Sequences/{person}/{task}", (f"{frame:0{digits}d}.jpg" for frame in around))
        writer.expect_labeled(key, f"bp4d/{person}", frames=span(first, last), au=tuple(labels))
        writer.issues.append(f"info {key}.csv")
