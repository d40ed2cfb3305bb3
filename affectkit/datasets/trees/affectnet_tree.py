"""Synthetic AffectNet, both releases.

Oddities of the current release: expression, valence and arousal in files of their own, each an array of one text
without a dimension; numbers of pictures with gaps; a picture without an annotation. Of the original one: pictures of no
expression, with valence and arousal -2; a second table whose columns are in another order, and which has 136 numbers
in one cell, as the first.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from affectkit.datasets.affectnet import CODES
from affectkit.datasets.affectnet_annotations import COLUMNS
from affectkit.datasets.trees.writing import Writer

# picture, code, valence, arousal
CURRENT: dict[str, tuple[tuple[int, int, str, str], ...]] = {
    "train": ((0, 0, "0.0", "0.01"), (2, 1, "0.71", "-0.02"), (13, 7, "-0.53", "0.35"), (107, 3, "0.2", "0.8")),
    "validation": ((0, 5, "-0.66", "0.4"), (3, 6, "-0.45", "0.62")),
}
ORIGINAL: dict[str, tuple[tuple[str, int, str, str], ...]] = {
    "train": (
        ("689/c21f.jpg", 1, "0.785714", "-0.055556"),
        ("689/0a3e.png", 4, "-0.2", "0.5"),
        ("7/ffe0.jpg", 8, "-2", "-2"),
        ("7/ab12.JPG", 9, "-2", "-2"),
        ("7/cd34.jpg", 10, "-2", "-2"),
    ),
    "validation": (("12/beef.jpg", 2, "-0.7", "-0.3"), ("12/babe.jpg", 7, "-0.6", "0.3")),
}
_LANDMARKS = ";".join(["1.5"] * 136)


def write(writer: Writer) -> None:
    """Six pictures of the current release, and seven of the original one beside them."""
    for half, folder in (("train", "train_set"), ("validation", "val_set")):
        writer.write_frames(f"{folder}/images", (f"{picture}.jpg" for picture, *_ in CURRENT[half]))
        for picture, code, valence, arousal in CURRENT[half]:
            texts = {"exp": str(code), "val": valence, "aro": arousal}
            for part, text in texts.items():
                writer.write_bytes(f"{folder}/annotations/{picture}_{part}.npy", _array(np.array(text)))
            landmarks = _array(np.full(136, 1.5))
            writer.write_bytes(f"{folder}/annotations/{picture}_lnd.npy", landmarks)
            values = (float(np.float32(valence)), float(np.float32(arousal)))
            key = f"{half}/{picture}"
            writer.expect_labeled(key, f"affectnet/{key}", file=f"{picture}.jpg", expression=CODES[code], va=values)
    writer.write_frames("train_set/images", ["5.jpg"])
    writer.issues.append("info train_set/images")
    _write_tables(writer)


def _write_tables(writer: Writer) -> None:
    orders = {"train": COLUMNS, "validation": tuple(reversed(COLUMNS))}
    for half, name in (("train", "training"), ("validation", "validation")):
        lines = [",".join(orders[half])]
        for picture, code, valence, arousal in ORIGINAL[half]:
            folder, _, file = picture.partition("/")
            writer.write_frames(f"Manually_Annotated_Images/{folder}", [file])
            cells = dict(zip(COLUMNS, (picture, 3, 4, 5, 6, _LANDMARKS, code, valence, arousal), strict=True))
            lines.append(",".join(str(cells[column]) for column in orders[half]))
        writer.write_text(f"Manually_Annotated_file_lists/{name}.csv", "".join(f"{line}\n" for line in lines))


def _array(values: NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()
