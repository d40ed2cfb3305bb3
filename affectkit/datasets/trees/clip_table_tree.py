"""Synthetic clips of one's own: two clips in one folder, a label in another case, an empty apex, a remark."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "clips.csv"
HEADER = "path,subject,onset,apex,offset,fps,label,remark"
ROWS = (
    "ann/first,ann,3,9,14,60,Negative,",
    "ann/first,ann,15,,20,60,surprise,no apex",
    "bob/only,bob,,,,30,positive,all of it",
)


def write(writer: Writer) -> None:
    """Two folders of frames and a table of three clips."""
    writer.write_frames("ann/first", (f"frame_{number:04d}.png" for number in span(1, 25)))
    writer.write_frames("bob/only", (f"{number}.png" for number in span(1, 10)))
    writer.write_text(TABLE, "".join(f"{line}\n" for line in (HEADER, *ROWS)))
    writer.expect("ann/first@3", "clips/ann", span(3, 14), (3, 9, 14, "Negative"))
    writer.expect("ann/first@15", "clips/ann", span(15, 20), (15, None, 20, "surprise"))
    writer.expect("bob/only", "clips/bob", span(1, 10), (1, None, 10, "positive"))
