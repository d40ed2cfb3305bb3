"""Synthetic RAF-AU.

Oddities of the release: one-sided units; `null` where there is none; blanks at the end of lines; a number without its
zeros; aligned pictures have a longer name than the list says; the last line has no end here.
"""

from __future__ import annotations

from affectkit.datasets.raf_au import UNITS
from affectkit.datasets.trees.writing import TreeLabel, Writer

LIST = "RAFAU_label.txt"
LINES = (
    ("0001", "1+2+25", ("AU1", "AU2", "AU25")), ("0002", "null", ()), ("0007", "4+L12 ", ("AU4", "AU12")),
    ("12", "R10+L10+17", ("AU10", "AU17")), ("0013", "28+B18", ("AU18",)),
)  # fmt: skip


def write(writer: Writer) -> None:
    """Five pictures, aligned and original, and the list."""
    keys = [name.zfill(4) for name, _, _ in LINES]
    writer.write_frames("aligned", (f"{key}_aligned.jpg" for key in keys))
    writer.write_frames("original", (f"{key}.jpg" for key in keys))
    writer.write_text(LIST, "\n".join(f"{name}.jpg {cell}" for name, cell, _ in LINES))
    for key, (_, _, active) in zip(keys, LINES, strict=True):
        writer.expect_labeled(key, f"raf-ml/{key}", file=f"{key}_aligned.jpg", au=label_of(active))


def label_of(active: tuple[str, ...]) -> TreeLabel:
    """Occurrence of the default units."""
    return tuple(float(unit in active) for unit in UNITS)
