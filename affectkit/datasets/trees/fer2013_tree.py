"""Synthetic FER2013: ten rows whose pixels are text, one picture in two parts of the split, and the unpacked array."""

from __future__ import annotations

from affectkit.datasets.fer2013 import CODES
from affectkit.datasets.fer2013_pixels import ARRAY, SIDE, unpack_pixels
from affectkit.datasets.trees.writing import Writer

TABLE = "fer2013.csv"
ROWS = (
    ("0", "Training"), ("3", "Training"), ("6", "Training"), ("1", "Training"), ("2", "Training"), ("4", "Training"),
    ("5", "PublicTest"), ("3", "PublicTest"), ("6", "PrivateTest"), ("0", "PrivateTest"),
)  # fmt: skip


def write(writer: Writer) -> None:
    """The table and the array."""
    write_table(writer)
    for index, (code, _) in enumerate(ROWS):
        key = f"{index:05d}"
        writer.expect_labeled(key, f"fer2013/{key}", file=ARRAY, frames=(index,), expression=CODES[int(code)])


def write_table(writer: Writer) -> None:
    """The table, whose last row has the pixels of the first, and the array that it gives."""
    texts = [" ".join(map(str, writer.rng.integers(0, 256, SIDE * SIDE))) for _ in ROWS[:-1]]
    rows = zip(ROWS, [*texts, texts[0]], strict=True)
    lines = ["emotion,pixels,Usage", *(f"{code},{text},{usage}" for (code, usage), text in rows)]
    writer.write_text(TABLE, "".join(f"{line}\n" for line in lines))
    unpack_pixels(writer.root / TABLE, writer.root / ARRAY)
