"""Synthetic CAS(ME)^2.

Oddities of the release: three sheets without a header; an offset 0 and an apex 0; codes as text with a leading zero;
folders whose names go on behind the code; a video without an event.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "CAS(ME)^2code_final.xlsx"
PEOPLE = ((1, "s15", 1), (2, "s16", 2))
CODES = (("0101", "disgust1"), ("0401", "anger1"), ("0502", "happy1"))
MACRO, MICRO = "macro-expression", "micro-expression"
EVENTS: tuple[tuple[object, ...], ...] = (
    (1, "disgust1_1", 5, 9, 14, "4+7", "negative", MICRO, "disgusting"),
    (1, "disgust1_2", 20, 31, 0, 4, "negative", MACRO, "disgusting"),
    (1, "anger1_1", 3, 0, 25, "L12", "others", MACRO, "none"),
    (2, "disgust1_1", 11, 15, 19, 12, "positive", MICRO, "happy"),
)
FRAMES = 40


def write(writer: Writer) -> None:
    """Four videos of two people, as recorded and cropped."""
    for tree in ("rawpic", "cropped"):
        for folder in ("s15/15_0101disgustingteeth", "s15/15_0401girlcrashing", "s15/15_0502funny", "s16/16_0101x"):
            writer.write_frames(f"{tree}/{folder}", (f"img{number:03d}.jpg" for number in span(1, FRAMES)))
    sheets = {"CASFEcode_final": EVENTS, "naming rule1": PEOPLE, "naming rule2": CODES}
    writer.write_book(TABLE, sheets)
    frames = span(1, FRAMES)
    writer.expect("s15/0101", "cas-me-2/15", frames, (5, 9, 14, "negative"), (20, 31, 31, "negative"))
    writer.expect("s15/0401", "cas-me-2/15", frames, (3, None, 25, "others"))
    writer.expect("s15/0502", "cas-me-2/15", frames)
    writer.expect("s16/0101", "cas-me-2/16", frames, (11, 15, 19, "positive"))
    # offset 0, apex 0, the video without an event
    writer.issues += [f"warning {TABLE} row 2", f"info {TABLE} row 3", f"info {TABLE}"]
