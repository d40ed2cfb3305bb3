"""Synthetic CASME II.

Oddities of the release: two blank columns and two empty sheets; an apex `/`, one on the onset, one on the offset;
action units as numbers, `L12`, `4+R10`, `?`; one name under two subjects; file names with and without padding; a frame
that is not there; a lock file; the edition of 2019, whose folders of subjects are bare numbers.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "CASME2-coding-20140508.xlsx"
HEADER = ("Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units",
          "Estimated Emotion")  # fmt: skip
ROWS: tuple[tuple[str, str, int, int | str, int, int | str, str], ...] = (
    ("01", "EP02_01f", 46, 59, 86, 12, "happiness"),
    ("01", "EP03_02", 30, 41, 52, "L12", "fear"),
    ("04", "EP12_01f", 46, "/", 80, "?", "others"),
    ("05", "EP02_01f", 20, 45, 45, 4, "sadness"),
    ("05", "EP09_05f", 100, 100, 131, "4+R10", "disgust"),
    ("17", "EP01_13", 61, 70, 95, "4+7", "repression"),
    ("17", "EP05_03f", 7, 19, 33, "1+2", "surprise"),
)
LOST = 60
AROUND = 5
FRAMES = 20


def write(writer: Writer, more: int) -> None:
    """Selected, raw and cropped frames of seven clips; of `more` others, selected ones."""
    rows = list(ROWS)
    for subject, clip, onset, apex, offset, _, emotion in ROWS:
        folder = f"sub{subject}/{clip}"
        lost = (LOST,) if folder == "sub01/EP02_01f" else ()
        listed = span(onset, offset, without=lost)
        writer.write_frames(f"CASME2_RAW_selected/{folder}", (f"img{n}.jpg" for n in listed))
        padded = "03" if clip == "EP03_02" else ""
        around = span(max(onset - AROUND, 1), offset + AROUND)
        writer.write_frames(f"CASME2-RAW/{folder}", (f"img{n:{padded}}.jpg" for n in around))
        writer.write_frames(f"Cropped/{folder}", (f"reg_img{n}.jpg" for n in listed))
        updated = f"Cropped-updated/Cropped/{int(subject)}/{clip}"
        writer.write_frames(updated, (f"reg_img{n}.jpg" for n in listed))
        known = apex if isinstance(apex, int) else None
        writer.expect(f"{subject}/{clip}", f"casme2/{subject}", listed, (onset, known, offset, emotion))
    for index in range(more):
        rows.append(_ordinary(writer, index))
    table = [HEADER, *((s, c, None, on, apex, off, None, aus, e) for s, c, on, apex, off, aus, e in rows)]
    writer.write_book(TABLE, {"Sheet1": table, "Sheet2": (), "Sheet3": ()})
    writer.write_text(f"~${TABLE}", "\x05" + " " * 164)
    # a frame that is not there, the apex `/`, the apex on the onset, and what is in none of the three classes
    writer.issues += [f"warning {TABLE} row 2", f"info {TABLE} row 4", f"info {TABLE} row 6", f"info {TABLE}"]


def _ordinary(writer: Writer, index: int) -> tuple[str, str, int, int | str, int, int | str, str]:
    subject, clip = f"{index % 26 + 1:02d}", f"EP{index // 26 % 90 + 10}_{index // (26 * 90):02d}"
    onset = int(writer.rng.integers(1, 200))
    apex, offset = onset + int(writer.rng.integers(1, FRAMES - 1)), onset + FRAMES - 1
    emotion = ("disgust", "happiness", "repression", "surprise")[index % 4]
    numbers = span(onset, offset)
    writer.write_frames(f"CASME2_RAW_selected/sub{subject}/{clip}", (f"img{n}.jpg" for n in numbers))
    writer.expect(f"{subject}/{clip}", f"casme2/{subject}", numbers, (onset, apex, offset, emotion))
    return subject, clip, onset, apex, offset, 12, emotion
