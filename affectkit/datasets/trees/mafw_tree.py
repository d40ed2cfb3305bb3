"""Synthetic MAFW: labels by name, a compound one among them, folds in folders of their own."""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer

CLIPS = (
    ("00151", "anger"), ("00152", "helplessness"), ("00200", "contempt"), ("01000", "sadness_surprise"),
    ("09999", "happiness"), ("10001", "neutral"),
)  # fmt: skip
FOLDS = 5


def write(writer: Writer) -> None:
    """Six clips, which are no videos, and the lists of five folds."""
    for clip, word in CLIPS:
        # no reader opens it
        writer.write_bytes(f"data/clips/{clip}.mp4", b"")
        valid = None if "_" in word else word
        writer.expect_labeled(clip, f"mafw/{clip}", file=f"{clip}.mp4", expression=valid)
    for fold in range(1, FOLDS + 1):
        for half, own in (("test", CLIPS[fold - 1 : fold]), ("train", (*CLIPS[: fold - 1], *CLIPS[fold:]))):
            text = "".join(f"{clip}.mp4 {word}\n" for clip, word in own)
            writer.write_text(f"split/single/no_caption/set_{fold}/{half}.txt", text)
    writer.issues.append("info set_1")
