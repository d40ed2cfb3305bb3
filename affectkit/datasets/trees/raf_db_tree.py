"""Synthetic RAF-DB, its basic part.

Oddities of the release: the list is called `patition`; its last line has no end; it counts classes from 1; numbers have
five digits in the one half and four in the other; aligned pictures have a longer name than the list says.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer

LIST = "basic/EmoLabel/list_patition_label.txt"
LINES = (
    ("train_00001", 5, "sadness"), ("train_00002", 1, "surprise"), ("train_00010", 7, "neutral"),
    ("train_00003", 6, "anger"), ("test_0001", 2, "fear"), ("test_0002", 3, "disgust"), ("test_0010", 4, "happiness"),
)  # fmt: skip


def write(writer: Writer) -> None:
    """Seven pictures, aligned and original, and the list."""
    writer.write_frames("basic/Image/aligned", (f"{name}_aligned.jpg" for name, _, _ in LINES))
    writer.write_frames("basic/Image/original", (f"{name}.jpg" for name, _, _ in LINES))
    writer.write_text(LIST, "\n".join(f"{name}.jpg {code}" for name, code, _ in LINES))
    for name, _, word in LINES:
        writer.expect_labeled(name, f"raf-db/{name}", file=f"{name}_aligned.jpg", expression=word)
