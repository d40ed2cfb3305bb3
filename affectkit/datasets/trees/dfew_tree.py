"""Synthetic DFEW: labels from 1, names of clips without their zeros, sixteen frames, five folds."""

from __future__ import annotations

from affectkit.datasets.dfew import CODES
from affectkit.datasets.trees.writing import Writer, span

# clip and label
CLIPS = ((1, 1), (2, 7), (17, 3), (104, 4), (2345, 5), (16372, 6))
FOLDS = 5
FRAMES = 16


def write(writer: Writer) -> None:
    """Six clips, and the tables of five folds, each of which tests on one clip and in the last on two."""
    for clip, label in CLIPS:
        key = f"{clip:05d}"
        writer.write_frames(f"Clip/clip_224x224/{key}", (f"{key}_{number}.jpg" for number in span(1, FRAMES)))
        word = CODES[label - 1]
        writer.expect_labeled(key, f"dfew/{key}", frames=span(1, FRAMES), expression=word)
    for fold in span(1, FOLDS):
        test = CLIPS[fold - 1 : fold] if fold < FOLDS else CLIPS[fold - 1 :]
        for half, own in (("test", test), ("train", [one for one in CLIPS if one not in test])):
            rows = ["video_name,label", *(f"{clip},{label}" for clip, label in own)]
            name = f"EmoLabel_DataSplit/{half}(single-labeled)/set_{fold}.csv"
            writer.write_text(name, "".join(f"{row}\n" for row in rows))
