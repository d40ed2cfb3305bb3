"""Synthetic EmotioNet.

Oddities of the release: names of columns and addresses in single quotes, with blanks; code 999 where nobody coded a
unit; addresses that are dead; older lists with tabs between, and without a header.
"""

from __future__ import annotations

from affectkit.datasets.emotionet import EmotioNetConfig
from affectkit.datasets.trees.writing import Writer

TABLE = "EmotioNet_FACS_aws_2020_24600.csv"
LIST = "lists/dataFile_0001.txt"
CODED = (1, 2, 4, 5, 6, 9, 10, 12, 15, 17, 18, 20, 24, 25, 26, 28, 43, 51)
PICTURES = ("N_0000000001_00001.jpg", "N_0000000001_00034.jpg", "N_0000000002_00007.jpg", "N_0000000009_00001.jpg")
DEAD = PICTURES[3]
URL = "http://pictures.invalid/emotionet"


def write(writer: Writer) -> None:
    """A table of four pictures, three of which are on disk, and a list of the same."""
    units = EmotioNetConfig().units
    lines = [",".join(("'URL'", "'URL orig'", *(f"'AU {unit}'" for unit in CODED)))]
    listed = []
    for picture in PICTURES:
        codes = dict(zip(CODED, writer.rng.choice((0, 1, 999), len(CODED)).tolist(), strict=True))
        lines.append(",".join((f"'{URL}/{picture} '", f"'{URL}/{picture}'", *map(str, codes.values()))))
        cells = [str(codes.get(unit, 999)) for unit in range(1, 61)]
        listed.append("\t".join((f"{URL}/{picture}", f"{URL}/old/{picture}", *cells)))
        if picture == DEAD:
            continue
        writer.write_frames("imgs", [picture])
        asked = [codes[int(unit[2:])] for unit in units]
        labels = tuple(None if code == 999 else float(code) for code in asked)
        writer.expect_labeled(picture, f"emotionet/{picture}", file=picture, au=labels)
    writer.write_text(TABLE, "".join(f"{line}\n" for line in lines))
    writer.write_text(LIST, "".join(f"{line}\n" for line in listed))
    writer.issues.append(f"warning {TABLE}")
