"""Synthetic C-EXPR-DB, as the 6th and 7th ABAW challenge hand it out.

Oddities of the release: videos are called by two digits; the header names seven classes, and behind the comma is
nothing, or one dummy; a video with a line less than it has pictures; a frame without a picture; no end of the last
line.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

LIST = "CVPR_6th_ABAW_CE_test_set_sample.txt"
HEADER = (
    "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,Angrily_Surprised,"
    "Sadly_Fearful,Sadly_Angry"
)
# lines of each video, and pictures
VIDEOS = (("01", 4, (1, 2, 3, 4)), ("02", 3, (1, 2, 3, 4)), ("10", 5, (1, 2, 4, 5)))


def write(writer: Writer) -> None:
    """Three videos and the sample of an answer."""
    images = [f"{video}/{number:05d}.jpg" for video, count, _ in VIDEOS for number in span(1, count)]
    writer.write_text(LIST, "\n".join([HEADER, *(f"{image}," for image in images)]))
    for video, count, pictures in VIDEOS:
        writer.write_frames(f"cropped_aligned/{video}", (f"{number:05d}.jpg" for number in pictures))
        writer.expect(video, f"c-expr-db/{video}", span(1, count))
    writer.issues += ["info 02", "info 10"]
