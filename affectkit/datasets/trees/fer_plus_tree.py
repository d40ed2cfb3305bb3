"""Synthetic FER+.

Oddities of the release: its rows are those of FER2013; some have no image name; single votes; pictures on which nobody
agrees, or that show no face; numbers of pictures that skip rows without a name; with the pictures, a table without a
header and with a box in quotes.
"""

from __future__ import annotations

from affectkit.datasets.fer2013_pixels import ARRAY
from affectkit.datasets.fer_plus_votes import NAMES
from affectkit.datasets.trees import fer2013_tree
from affectkit.datasets.trees.writing import Writer

TABLE = "fer2013new.csv"
HEADER = ("Usage", "Image name", *NAMES[:-1], "NF")
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
# votes in the order of the header, and the class of the majority
VOTES: tuple[tuple[tuple[int, ...], str | None], ...] = (
    ((4, 0, 0, 1, 3, 2, 0, 0, 0, 0), None),
    ((0, 10, 0, 0, 0, 0, 0, 0, 0, 0), "happiness"),
    ((0, 0, 0, 0, 0, 0, 0, 0, 0, 10), ""),
    ((1, 0, 0, 0, 2, 6, 0, 1, 0, 0), "disgust"),
    ((0, 0, 3, 0, 0, 0, 7, 0, 0, 0), "fear"),
    ((2, 0, 0, 2, 0, 0, 0, 0, 6, 0), None),
    ((0, 0, 8, 0, 0, 0, 2, 0, 0, 0), "surprise"),
    ((0, 3, 0, 0, 0, 0, 0, 7, 0, 0), "contempt"),
    ((5, 0, 0, 5, 0, 0, 0, 0, 0, 0), None),
    ((0, 0, 0, 1, 0, 0, 0, 0, 2, 7), None),
)


def write(writer: Writer) -> None:
    """The table of FER2013, that of FER+, and the pictures with tables of their own."""
    fer2013_tree.write_table(writer)
    lines = [",".join(HEADER)]
    labels: dict[str, list[str]] = {}
    number = 0
    for row, ((_, usage), (votes, word)) in enumerate(zip(fer2013_tree.ROWS, VOTES, strict=True)):
        counts = ",".join(map(str, votes))
        name = "" if word == "" else f"fer{number:07d}.png"
        lines.append(f"{usage},{name},{counts}")
        if name:
            number += 1
            labels.setdefault(FOLDERS[usage], []).append(f'{name},"(0, 0, 48, 48)",{counts}')
            writer.write_frames(f"data/{FOLDERS[usage]}", [name])
            key = f"{row:05d}"
            writer.expect_labeled(key, f"fer2013/{key}", file=ARRAY, frames=(row,), expression=word)
    writer.write_text(TABLE, "".join(f"{line}\n" for line in lines))
    for folder, rows in labels.items():
        writer.write_text(f"data/{folder}/label.csv", "".join(f"{line}\n" for line in rows))
    # a row without a name, and pictures without a class
    writer.issues += [f"info {TABLE}"] * 2
