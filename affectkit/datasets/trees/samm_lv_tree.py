"""Synthetic SAMM Long Videos.

Oddities of the release: nine rows above the header; frame numbers with a point in rows of macro-expressions; an onset 0
and an apex -1; emotions in the table of SAMM alone.
"""

from __future__ import annotations

from affectkit.datasets.trees import samm_tree
from affectkit.datasets.trees.writing import Writer, span

TABLE = "SAMM_LongVideos_V3_Release.xlsx"
HEADER = ("Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units",
          "Notes")  # fmt: skip
PREAMBLE = 9
EVENTS: tuple[tuple[str, float, float, float, str, object], ...] = (
    ("006_1_2", 5, 12, 20, "Micro - 1/2", "7B"),
    ("006_1_3", 22.0, -1.0, 44.0, "Macro", 12),
    ("006_1_4", 0.0, 8.0, 15.0, "Macro", 4),
    ("011_5_3", 9, 14, 31, "Micro - 1/2", "12"),
)
FRAMES = 50


def write(writer: Writer) -> None:
    """Two videos, their table, and that of SAMM."""
    frames = span(1, FRAMES)
    for video in ("006_1", "011_5"):
        writer.write_frames(f"SAMM_longvideos/{video}", (f"{video}_{number:04d}.jpg" for number in frames))
    above = [(f"invented note {row}",) for row in range(1, PREAMBLE + 1)]
    rows = [(c[:3], c, int(c[4]), on, apex, off, off - on + 1, kind, aus) for c, on, apex, off, kind, aus in EVENTS]
    writer.write_book(TABLE, {"FACS_Movement_Only": [*above, HEADER, *rows]})
    # the words of the two micro-expressions, in SAMM's own columns
    words = [("006", "006_1_2", 1, 5, 12, 20, 16, "Micro - 1/2", "7B", "Anger", 3, None),
             ("011", "011_5_3", 5, 9, 14, 31, 23, "Micro - 1/2", "12", "Happiness", 1, None)]  # fmt: skip
    writer.write_book(samm_tree.TABLE, {"MICRO_ONLY": [samm_tree.HEADER, *words]})
    writer.expect("006_1", "samm/006", frames, (5, 12, 20, "Anger"), (22, None, 44, None))
    writer.expect("011_5", "samm/011", frames, (9, 14, 31, "Happiness"))
    # apex -1, onset 0
    writer.issues += [f"info {TABLE} row {PREAMBLE + 3}", f"info {TABLE} row {PREAMBLE + 4}"]
