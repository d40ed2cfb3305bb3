"""Synthetic FERV39k: labels from 0, lists without a header, with a blank between, one name under two scenes."""

from __future__ import annotations

from affectkit.datasets.ferv39k import CODES
from affectkit.datasets.trees.writing import Writer, span

LINES = {
    "train": (("Action/Happy/0267", 0), ("Action/Sad/0267", 1), ("War/Happy/0267", 0), ("DailyLife/Angry/0003", 3)),
    "test": (("War/Fear/0012", 6), ("Scenery/Neutral/0100", 2)),
}
FRAMES = 5


def write(writer: Writer) -> None:
    """Six clips and two lists."""
    for half, lines in LINES.items():
        for clip, label in lines:
            writer.write_frames(f"2_ClipsforFaceCrop/{clip}", (f"{number:05d}.jpg" for number in span(0, FRAMES - 1)))
            writer.expect_labeled(clip, f"ferv39k/{clip}", frames=span(0, FRAMES - 1), expression=CODES[label])
        text = "\n".join(f"{clip} {label}" for clip, label in lines)
        writer.write_text(f"4_setups/All_scenes/{half}_All.csv", text)
