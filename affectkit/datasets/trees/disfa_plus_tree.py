"""Synthetic DISFA+.

Oddities of the release: comments in the files; names of pictures instead of numbers of frames, with blanks of any
number behind them; people of DISFA.
"""

from __future__ import annotations

from affectkit.datasets.disfa import UNITS
from affectkit.datasets.trees.writing import Writer, span

TRIALS = ("SN001/A1_AU1_TrailNo_1", "SN001/Y_FearDSC_TrailNo_2", "SN013/A1_AU1_TrailNo_1")
FRAMES = 6
THRESHOLD = 2


def write(writer: Writer) -> None:
    """Twelve files and a folder of pictures of each of three trials."""
    numbers = span(0, FRAMES - 1)
    for trial in TRIALS:
        codes = {unit: writer.rng.integers(0, 6, FRAMES).tolist() for unit in UNITS}
        for unit, own in codes.items():
            lines = [
                f"{number:03d}.jpg{' ' * (1 + number % 3)}{code}" for number, code in zip(numbers, own, strict=True)
            ]
            text = "\n".join(["# invented remark", f"#{unit}", *lines])
            writer.write_text(f"Labels/{trial}/{unit}.txt", f"{text}\n")
        writer.write_frames(f"Images/{trial}", (f"{number:03d}.jpg" for number in numbers))
        rows = zip(*codes.values(), strict=True)
        labels = tuple(tuple(float(code >= THRESHOLD) for code in row) for row in rows)
        writer.expect_labeled(trial, f"disfa/{trial[2:5]}", frames=numbers, au=labels)
    writer.issues.append(f"info {writer.root.name}")
