"""Synthetic RAF-DB, its compound part.

Oddities of the release, as in the basic part: the list is called `patition`; its last line has no end; it counts
classes from 1; numbers have five digits in the one half and four in the other.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer

LIST = "compound/EmoLabel/list_patition_label.txt"
LINES = (
    ("train_00001", 1, "happily_surprised"), ("train_00002", 5, "sadly_surprised"),
    ("train_00010", 11, "disgustedly_surprised"), ("train_00003", 8, "fearfully_surprised"),
    ("train_00004", 2, "happily_disgusted"), ("test_0001", 4, "sadly_angry"), ("test_0002", 10, "angrily_disgusted"),
)  # fmt: skip


def write(writer: Writer) -> None:
    """Seven pictures, aligned and original, and the list."""
    writer.write_frames("compound/Image/aligned", (f"{name}_aligned.jpg" for name, _, _ in LINES))
    writer.write_frames("compound/Image/original", (f"{name}.jpg" for name, _, _ in LINES))
    writer.write_text(LIST, "\n".join(f"{name}.jpg {code}" for name, code, _ in LINES))
    for name, _, word in LINES:
        writer.expect_labeled(name, f"raf-db-compound/{name}", file=f"{name}_aligned.jpg", compound=word)
