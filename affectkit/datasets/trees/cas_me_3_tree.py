"""Synthetic CAS(ME)^3.

Oddities of the release: every cell of the table of emotions is text, those of the table of times are numbers; `Others`
with a capital; an apex on the onset; an offset 0; an onset 0 whose file is not there; an offset far beyond the apex; a
row in one table alone; a folder `J`; gaps in videos; action units `R12`, `T18`, `2+1`, a full-width comma in part C.
The table of times, an `.xls` in the release, is an `.xlsx` here, since nothing at hand writes the older format.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

EMOTIONS = "cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx"
TIMES = "CAS(ME)3_part_A_v2.xlsx"
PART_C = "CAS(ME)3_part_C_ME.xlsx"
HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion")
TIMES_HEADER = ("Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Expression type", "Objective class")
MICRO, MACRO = "Micro-expression", "Macro-expression"
GAPS = (12, 13, 30)
# subject, video, onset, apex, offset, action units, emotion; the offset in the table of times, None if it has no row
ROWS: tuple[tuple[str, str, int, int, int, str, str, int | None], ...] = (
    ("spNO.1", "a", 3, 8, 11, "4", "disgust", 11),
    ("spNO.1", "a", 15, 15, 20, "R12", "happy", 20),
    ("spNO.1", "a", 22, 25, 0, "T18", "Others", 28),
    ("spNO.3", "j", 0, 2, 6, "2+1", "surprise", 6),
    ("spNO.3", "j", 10, 13, 38, "1+2", "fear", None),
)
FRAMES = 40


def write(writer: Writer) -> None:
    """Two videos of part A with three tables, clips of one of them, and two clips of part C."""
    for subject, letter in (("spNO.1", "a"), ("spNO.3", "J")):
        numbers = span(1, FRAMES, without=GAPS)
        writer.write_frames(f"data/{subject}/{letter}/color", (f"{number}.jpg" for number in numbers))
        writer.write_frames(f"data/{subject}/{letter}/depth", (f"{number}.png" for number in span(1, 2)))
    for subject, letter, onset, apex, offset, _, emotion, known in ROWS:
        person = f"{int(subject[5:]):03d}"
        there = span(max(onset, 1), known or offset, without=GAPS)
        event = (onset, apex, known or offset, emotion)
        writer.expect(f"{person}/{letter}/{onset}", f"cas-me-3/{person}", there, event)
        writer.write_frames(f"frame/{subject}_{letter}_{onset}", (f"{number}.jpg" for number in there))
    text = [(s, v, str(on), str(apex), str(off), aus, "IV", e) for s, v, on, apex, off, aus, e, _ in ROWS]
    writer.write_book(EMOTIONS, {"label": [HEADER, *text], "Sheet2": (), "Sheet3": ()})
    times = [(s, v, on, apex, off, aus, MICRO, "IV") for s, v, on, apex, _, aus, _, off in ROWS if off is not None]
    macro = ("spNO.1", "a", 29, 33, 39, "12", MACRO, "I")
    blinks = (("Subject", "Filename", "Onset", "Offset"), ("spNO.1", "a", 5, 7))
    writer.write_book(TIMES, {"AU+Emotion": [TIMES_HEADER, *times, macro], "eye blink": blinks})
    _write_part_c(writer)
    # an apex on the onset, a lost first frame, a row in one table alone with gaps, and what is in no class
    writer.issues += [f"info {EMOTIONS} row 3", f"warning {EMOTIONS} row 5", f"info {EMOTIONS}"]
    writer.issues += [f"warning {EMOTIONS} row 6"] * 2


def _write_part_c(writer: Writer) -> None:
    rows = ((1, 1, 4, 12, "R4,5", "negative"), (1, 2, 20, 31, "1，2", "surprise"))
    for subject, count, onset, offset, _, _ in rows:
        writer.write_frames(f"ME_C/{subject:02d}/{count}/color", (f"{n}.jpg" for n in span(onset, offset)))
    writer.write_book(PART_C, {"mockCrimeME": [("sub", "count", "onset", "offset", "au", "emotion"), *rows]})
