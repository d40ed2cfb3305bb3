"""Synthetic SMIC.

Oddities of the releases: a clip's name with and without padding; folders `non_micro`; a frame that is not there; names
of 5 to 8 digits and, of the normal camera, with a blank; a table with two intervals for one clip, and text below it.
"""

from __future__ import annotations

from affectkit.datasets.trees.writing import Writer, span

TABLE = "SMIC-HS-E_annotation.xlsx"
LONG = "SMIC-E_raw image"
HEADER = ("Subject", "Filename", None, "OnsetF", "OffsetF", "Onset2F", "Offset2F", None, "FirstF", "LastF", "TotalMF1",
          "TotalMF2", "TotalVL", "Emotion")  # fmt: skip
# folder of the subject and of the clip, key, word, first and last frame
CLIPS = (
    ("s01", "s01_ne_01", "s01_ne_01", "negative", 1234, 1250),
    ("s01", "s01_sur_02", "s01_sur_02", "surprise", 20, 41),
    ("s03", "s3_ne_02", "s03_ne_02", "negative", 559740, 559760),
    ("s03", "s3_po_11", "s03_po_11", "positive", 7, 18),
)
LOST = 559751
AROUND = 10


def write(writer: Writer) -> None:
    """Cropped and original clips of HS, one cropped clip of VIS, and long videos of HS and VIS with their table."""
    rows = []
    for subject, clip, key, word, first, last in CLIPS:
        lost = (LOST,) if clip == "s3_ne_02" else ()
        numbers = span(first, last, without=lost)
        place = f"HS/{subject}/micro/{word}/{clip}"
        writer.write_frames(f"SMIC_all_cropped/{place}", (f"reg_image{n:06d}.bmp" for n in numbers))
        writer.write_frames(f"SMIC_all_raw/{place}", (f"image{n:06d}.jpg" for n in numbers))
        writer.expect(key, f"smic/{subject[1:]}", numbers, (first, None, last, word))
        start, stop = max(first - AROUND, 1), last + AROUND
        digits = len(str(first))
        names = [f"image{n:0{digits}d}.jpg" for n in span(start, stop)]
        unpadded = clip.replace("s0", "s")
        writer.write_frames(f"{LONG}/HS_long/SMIC_HS_E/{subject}/{unpadded}", names)
        second = (last + 2, last + 6) if clip == "s3_ne_02" else (None, None)
        rows.append((
            int(subject[1:]), unpadded, None, first, last, *second, None, start, stop, last - first + 1, None,
            stop - start + 1, word,
        ))  # fmt: skip
    still = "SMIC_all_cropped/HS/s01/non_micro/s01_non_micro_01"
    writer.write_frames(still, (f"reg_image{n:06d}.bmp" for n in span(1, 5)))
    writer.write_frames("SMIC_all_cropped/VIS/s03/micro/positive/s03_po_01",
                        (f"reg_image{n:06d}.bmp" for n in span(5, 15)))  # fmt: skip
    writer.write_frames(f"{LONG}/VIS_long/SMIC_VIS_E/s03/s3_po_01", (f"image {n}.jpg" for n in span(1, 40)))
    text = [("Invented remark about the table",), ("and another",)]
    # the normal camera's sheet has no column LastF
    visible = (3, "s3_po_01", None, 5, 15, None, None, None, 1, 11, None, 40, "positive")
    header = tuple(name for name in HEADER if name != "LastF")
    writer.write_book(TABLE, {"HS": [HEADER, *rows, *text], "VIS": [header, visible]})
    writer.issues.append("warning s03/micro/negative/s3_ne_02")
