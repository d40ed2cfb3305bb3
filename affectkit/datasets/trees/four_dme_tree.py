"""Synthetic 4DME: combined emotions, action units with `(k)`, frame numbers with a point, a column per action unit."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "4DME_Labelling_Micro_release v1.xlsx"
HEADER = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "AU1", "AU2", "AU4", "fold", "eye blink",
          "Positive", "Negative", "Surprise", "Repression", "Others", "Total")  # fmt: skip
ROWS: tuple[tuple[str, str, str, float, float, float, str], ...] = (
    ("Sub1", "clip_a", "Surprise+Positive", 5.0, 9.0, 20.0, "1+2(k)"),
    ("Sub1", "clip_b", "Negative", 31.0, 38.0, 50.0, "4"),
    ("Sub2", "clip_a", "Others", 1.0, 4.0, 12.0, "14"),
)


def write(writer: Writer) -> None:
    """Frames as recorded and cropped of three clips."""
    table: list[tuple[object, ...]] = []
    for subject, clip, emotion, onset, apex, offset, aus in ROWS:
        numbers = span(int(onset), int(offset))
        for tree in ("gray_micro", "gray_micro_crop"):
            writer.write_frames(f"{tree}/{subject}/{clip}", (f"{number}.jpg" for number in numbers))
        times = int(onset), int(apex), int(offset)
        writer.expect(f"{subject}/{clip}", f"4dme/{subject}", numbers, (*times, emotion))
        table.append((subject, clip, emotion, onset, apex, offset, aus, 1, 0, 0, 1, 0, *[0] * 5, 1))
    writer.write_book(TABLE, {"Sheet1": [HEADER, *table]})
    writer.issues.append(f"info {TABLE}")
