"""Synthetic Aff-Wild2, with annotations of the 6th ABAW challenge.

Oddities of the release: two people of one movie, whose files and folders have a suffix that the movie lacks; a line
more than the movie has frames; frames without a picture; -5 and -1; a value outside [-1, 1]; pictures of added videos
in a folder of their own; a video in unlike halves of two challenges, whose files have unlike numbers of lines; classes
that no frame shows.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

ANNOTATIONS = "6th ABAW Annotations"
HEADERS = {
    "VA_Estimation_Challenge": "valence,arousal",
    "EXPR_Recognition_Challenge": "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    "AU_Detection_Challenge": "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
}
VA, EXPR, AU = HEADERS
NONE = "-1," * 11 + "-1"
SMILE = "0,0,0,1,0,0,1,0,0,0,1,0"
BROWS = "1,1,0,0,0,0,0,0,0,0,-1,-1"
TRAIN, VALIDATION = "Train_Set", "Validation_Set"
# challenge, half, video, lines below the header
FILES = (
    (VA, TRAIN, "1-30-1280x720", ("0.13,-0.02", "0.2,0.1", "-5,-5", "1.2,0", "0.3,0.4", "-0.5,1", "-1,0.25", "0,0")),
    (AU, TRAIN, "1-30-1280x720", (SMILE, SMILE, NONE, BROWS, SMILE, NONE, BROWS, SMILE)),
    (VA, TRAIN, "46-30-484x360_left", ("-0.1,0.5", "-5,0.1", "0.7,0.7", "0.6,0.5", "0.5,0.3", "0.4,0.2")),
    (EXPR, TRAIN, "46-30-484x360_left", ("0", "-1", "4", "4", "7", "3")),
    (EXPR, TRAIN, "video45_1", ("6", "6", "5", "1", "2", "-1")),
    (AU, TRAIN, "video45_1", (BROWS, BROWS, NONE, SMILE, SMILE)),
    (VA, VALIDATION, "46-30-484x360_right", ("0.1,0.1", "0.2,0.2", "0.2,0.3")),
    (VA, VALIDATION, "video45_1", ("0,0", "0.1,0", "0.2,0", "0.3,0", "0.2,0")),
    (EXPR, VALIDATION, "360", ("0", "0", "4", "4")),
    (AU, VALIDATION, "360", (SMILE, SMILE, BROWS, NONE)),
)
ADDED = "cropped_aligned_new_50_vids/video45_1"


def write(writer: Writer) -> None:
    """Three videos to train on, three to validate, and the movie of two of them."""
    for challenge, half, video, lines in FILES:
        text = "".join(f"{line}\n" for line in (HEADERS[challenge], *lines))
        writer.write_text(f"{ANNOTATIONS}/{challenge}/{half}/{video}.txt", text)
    folders = {
        "cropped_aligned/1-30-1280x720": span(1, 7),
        "cropped_aligned/46-30-484x360_left": span(1, 6, without=(3,)),
        "cropped_aligned/46-30-484x360_right": span(1, 3),
        "cropped_aligned/360": span(1, 4),
        ADDED: span(1, 6),
    }
    for folder, numbers in folders.items():
        writer.write_frames(folder, (f"{number:05d}.jpg" for number in numbers))
    writer.write_text("cropped_aligned/360/.DS_Store", "")
    writer.write_text("batch1/46-30-484x360.mp4", "")
    writer.expect("1-30-1280x720", "aff-wild2/1-30-1280x720", span(1, 8))
    writer.expect("46-30-484x360_left", "aff-wild2/46-30-484x360", span(1, 6))
    writer.expect("video45_1", "aff-wild2/video45_1", span(1, 6))
    writer.issues += [
        f"warning {VA}/{TRAIN}/1-30-1280x720.txt", "info 1-30-1280x720", "info 46-30-484x360_left",
        "warning video45_1", f"warning {ANNOTATIONS}",
    ]  # fmt: skip
