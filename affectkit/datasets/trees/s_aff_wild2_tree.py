"""Synthetic s-Aff-Wild2, with the lists of the 7th ABAW challenge.

Oddities of the release: a header of 5 names over rows of 16 fields; a copy without the header; frames that are not
consecutive; labels of any one, two or three kinds; two people of one movie; a frame without a picture, and pictures
that no list names; a list of frames to predict, with a comma behind each.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

HEADER = "image,valence,arousal,expression,aus"
TRAIN, VALIDATION, TEST = "training_set_annotations.txt", "validation_set_annotations.txt", "MTL.txt"
FOLDER = "MTL_Challenge"
NO_UNIT = ",-1" * 12
SMILE = ",0,0,0,1,0,0,1,0,0,0,1,0"
# video, number, valence and arousal, expression, units
ROWS = (
    ("demo-30-640x360_left", 1, "0.25,-0.5", 0, SMILE),
    ("demo-30-640x360_left", 8, "0.3,-0.4", -1, NO_UNIT),
    ("demo-30-640x360_left", 17, "-5,-5", 3, NO_UNIT),
    ("demo-30-640x360_left", 21, "-5,-5", -1, SMILE),
    ("demo-30-640x360_right", 2, "0.1,0.2", 7, SMILE),
    ("video9", 3, "-0.7,0.6", 1, NO_UNIT),
    ("video9", 10, "-5,-5", 2, SMILE),
    ("video9", 14, "-0.6,0.4", -1, SMILE),
)
CHECKED = (("7-25-320x240", 1, "0.5,0.5", 4, SMILE), ("7-25-320x240", 6, "0.4,0.5", -1, SMILE))
ASKED = (("8-24-640x480", 8), ("8-24-640x480", 9), ("8-24-640x480", 15), ("video12", 2))
LOST = ("video9", 10)


def write(writer: Writer) -> None:
    """Three videos to train on, one to validate, two to predict, and a copy of a list without its header."""
    checked = [_row(*row) for row in CHECKED]
    lists = {
        f"{FOLDER}/{TRAIN}": [HEADER, *(_row(*row) for row in ROWS)],
        f"{FOLDER}/{VALIDATION}": [HEADER, *checked],
        f"{FOLDER}/{TEST}": [HEADER, *(f"{video}/{number:05d}.jpg," for video, number in ASKED)],
        "dataload/val.csv": checked,
    }
    for name, lines in lists.items():
        writer.write_text(name, "".join(f"{line}\n" for line in lines))
    places = [row[:2] for row in (*ROWS, *CHECKED)] + list(ASKED)
    for video in dict.fromkeys(video for video, _ in places):
        last = max(number for name, number in places if name == video)
        lost = [number for name, number in (LOST,) if name == video]
        names = [f"{number:05d}.jpg" for number in span(1, last + 1, without=lost)]
        writer.write_frames(f"cropped_aligned/{video}", names)
    writer.expect("demo-30-640x360_left", "aff-wild2/demo-30-640x360", (1, 8, 17, 21))
    writer.expect("demo-30-640x360_right", "aff-wild2/demo-30-640x360", (2,))
    writer.expect("video9", "aff-wild2/video9", (3, 10, 14))
    writer.issues.append("info video9")


def _row(video: str, number: int, affect: str, expression: int, units: str) -> str:
    return f"{video}/{number:05d}.jpg,{affect},{expression}{units}"
