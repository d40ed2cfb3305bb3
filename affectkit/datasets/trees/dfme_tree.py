"""Synthetic DFME: three tables, and a rate per clip."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU")
TABLES: dict[str, tuple[tuple[str, int, int, int, str, int, int, str], ...]] = {
    "training": (
        ("sub0003_01", 34, 40, 60, "happiness", 4, 200, "12"),
        ("sub0003_02", 1, 12, 33, "disgust", 2, 300, "4+9"),
        ("sub0120_01", 5, 9, 50, "surprise", 6, 500, "1+2"),
    ),
    "testA": (("sub0201_01", 7, 11, 25, "fear", 3, 500, "R14"),),
    "testB": (("sub0301_03", 2, 8, 19, "anger", 0, 200, "4"),),
}


def write(writer: Writer) -> None:
    """Five clips in three splits; a right reader finds the training ones, and folders of the others."""
    for split, rows in TABLES.items():
        for clip, onset, apex, offset, emotion, _, _, _ in rows:
            numbers = span(onset, offset)
            writer.write_frames(clip, (f"{number:05d}.png" for number in numbers))
            if split == "training":
                writer.expect(clip, f"dfme/{clip[3:7]}", numbers, (onset, apex, offset, emotion))
        writer.write_book(f"{split}_full_with_AU.xlsx", {"Sheet1": [HEADER, *((row[0][:7], *row) for row in rows)]})
    writer.issues.append("info training_full_with_AU.xlsx")
