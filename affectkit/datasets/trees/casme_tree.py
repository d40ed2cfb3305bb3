"""Synthetic CASME: two apexes per clip, blank columns, names such as `EP01_12-3.jpg`."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "casme.xlsx"
HEADER = ("Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AU", "Emotion")
ROWS: tuple[tuple[int, str, int, int, int, int, int | str, str], ...] = (
    (1, "EP01_12", 3, 9, 0, 20, 4, "tense"),
    (1, "EP03_2", 30, 36, 40, 52, "4+7", "disgust"),
    (7, "EP01_12", 1, 6, 0, 14, "L14", "Repression"),
)


def write(writer: Writer) -> None:
    """Selected and cropped frames of three clips."""
    for subject, clip, onset, apex, _, offset, _, emotion in ROWS:
        numbers = span(onset, offset)
        names = [f"{clip}-{number}.jpg" for number in numbers]
        writer.write_frames(f"CASME_raw_selected/sub{subject:02d}/{clip}", names)
        writer.write_frames(f"Cropped/sub{subject:02d}/{clip}", (f"reg_{name}" for name in names))
        writer.expect(f"{subject:02d}/{clip}", f"casme/{subject:02d}", numbers, (onset, apex, offset, emotion))
    rows = [(s, c, None, on, one, two, off, None, aus, e) for s, c, on, one, two, off, aus, e in ROWS]
    writer.write_book(TABLE, {"Sheet1": [HEADER, *rows]})
