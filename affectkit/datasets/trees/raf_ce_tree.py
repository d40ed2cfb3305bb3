"""Synthetic RAF-CE.

Oddities of the release: three lists beside the pictures, each with a line per picture; halves are 0 train, 1 test and 2
validation, in this order; classes count from 0, unlike those of RAF-DB; some pictures have no unit; one is in the list
of units alone.
"""

from __future__ import annotations

from affectkit.datasets.trees.raf_au_tree import label_of
from affectkit.datasets.trees.writing import Writer

LISTS = ("RAFCE_emolabel.txt", "RAFCE_partition.txt", "RAFCE_AUlabel.txt")
LINES = (
    ("0001", 0, "happily_surprised", 0, "1+2+12", ("AU1", "AU2", "AU12")),
    ("0002", 7, "fearfully_surprised", 0, "null", ()),
    ("0004", 13, "happily_sad", 1, "4+L12", ("AU4", "AU12")),
    ("0005", 8, "fearfully_disgusted", 1, "R10+L10", ("AU10",)),
    ("0009", 12, "happily_fearful", 2, "25", ("AU25",)),
    ("0010", 11, "disgustedly_surprised", 2, "9+26", ("AU9", "AU26")),
)


def write(writer: Writer) -> None:
    """Six pictures, aligned and original, and three lists."""
    writer.write_frames("aligned", (f"{key}_aligned.jpg" for key, *_ in LINES))
    writer.write_frames("original", (f"{key}.jpg" for key, *_ in LINES))
    emotions, parts, units = LISTS
    writer.write_text(emotions, "\n".join(f"{key}.jpg {code}" for key, code, *_ in LINES))
    writer.write_text(parts, "".join(f"{key}.jpg {part}\n" for key, _, _, part, _, _ in LINES))
    cells = [*((key, cell) for key, _, _, _, cell, _ in LINES), ("0011", "6+12")]
    writer.write_text(units, "".join(f"{key}.jpg {cell}\n" for key, cell in cells))
    for key, _, word, _, _, active in LINES:
        file = f"{key}_aligned.jpg"
        writer.expect_labeled(key, f"raf-ml/{key}", file=file, compound=word, au=label_of(active))
    writer.issues.append(f"info {units}")
