"""Synthetic SAMM.

Oddities of the release: 13 rows above the header, with text in column E; file names of 5 digits, and of 4 in one clip;
intensities, alternatives and a reference among the action units; an apex outside its interval; the word `Other`; a copy
of the table with the header in the first row.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "SAMM_Micro_FACS_Codes_v2.xlsx"
COPY = "copies/SAMM.xlsx"
HEADER = ("Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
          "Action Units", "Estimated Emotion", "Objective Classes", "Notes")  # fmt: skip
PREAMBLE = 13
# clip, onset, apex, offset, action units, emotion, digits of file names
ROWS: tuple[tuple[str, int, int, int, int | str, str, int], ...] = (
    ("006_1_2", 5562, 5575, 5592, "7B", "Anger", 5),
    ("006_1_10", 990, 1001, 1020, "4D+9B", "Happiness", 4),
    ("011_1_1", 300, 310, 335, "10A/B", "Contempt", 5),
    ("011_5_3", 61, 75, 99, 12, "Surprise", 5),
    ("028_4_1", 400, 399, 440, "ref(7B)+43", "Other", 5),
    ("028_4_2", 700, 720, 741, "(R6 or R12)+R15", "Sadness", 5),
)


def write(writer: Writer) -> None:
    """Frames as recorded and cropped of six clips, and the table in two copies."""
    table: list[tuple[object, ...]] = []
    for clip, onset, apex, offset, aus, emotion, digits in ROWS:
        subject = clip[:3]
        names = [f"{subject}_{number:0{digits}d}.jpg" for number in span(onset, offset)]
        writer.write_frames(f"{subject}/{clip}", names)
        writer.write_frames(f"SAMM_CROP/{subject}/{clip}", names)
        known = apex if onset <= apex <= offset else None
        writer.expect(clip, f"samm/{subject}", span(onset, offset), (onset, known, offset, emotion))
        table.append((
            subject, clip, int(clip[4]), onset, apex, offset, offset - onset + 1, "Micro - 1/2", aus, emotion, 1, None,
        ))  # fmt: skip
    above = [(None, None, None, None, f"invented note {row}") for row in range(1, PREAMBLE + 1)]
    writer.write_book(TABLE, {"MICRO_ONLY": [*above, HEADER, *table]})
    (writer.root / "copies").mkdir()
    writer.write_book(COPY, {"MICRO_ONLY": [HEADER, *table]})
    writer.issues += [f"warning {TABLE} row {PREAMBLE + 6}", f"info {TABLE}"]
