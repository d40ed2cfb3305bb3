"""Synthetic MMEW: files numbered from 1, folders by emotion and by subject, single pictures of macro-expressions."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "MMEW_Micro_Exp.xlsx"
HEADER = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion",
          "remarks")  # fmt: skip
ROWS: tuple[tuple[str, int, int, int, int | str, str], ...] = (
    ("S03-01-002", 1, 9, 20, 12, "happiness"),
    ("S03-07-001", 101, 109, 118, "4+7", "anger"),
    ("S11-02-001", 1, 5, 15, "?", "repression"),
)
# by emotion and by subject: both orders are seen
FOLDERS = ("Micro_Expression/happiness/S03-01-002", "S03/anger/S03-07-001", "Micro_Expression/others/S11-02-001")


def write(writer: Writer) -> None:
    """Three clips and two pictures of macro-expressions."""
    for (clip, onset, apex, offset, _, emotion), folder in zip(ROWS, FOLDERS, strict=True):
        shift = onset - 1
        numbers = span(1, offset - shift)
        writer.write_frames(folder, (f"{number}.jpg" for number in numbers))
        writer.expect(clip, f"mmew/{clip[1:3]}", numbers, (1, apex - shift, offset - shift, emotion))
    writer.write_frames("Macro_Expression/S03/anger", ("S03-07-001.jpg", "S03-07-002.jpg"))
    writer.write_book(TABLE, {"Sheet1": [HEADER, *((row[0][:3], *row, None) for row in ROWS)]})
    writer.issues += [f"info {TABLE} row 3", f"info {TABLE}"]
