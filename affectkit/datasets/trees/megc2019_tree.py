"""Synthetic composite of MEGC 2019: trees of CASME II, SAMM and SMIC, and a list.

Oddities of the list: CRLF, no header; `s01_ne_01` where the folder is `s1_ne_01`; subject `6` of SAMM; a clip that is
not on disk. `combined_broken.csv` is a damaged variant, with lines of commas.
"""

from __future__ import annotations

from dataclasses import replace

from affectkit.datasets.trees import casme2_tree, samm_tree, smic_tree
from affectkit.datasets.trees.writing import Writer

LIST = "combined_3class_gt.csv"
BROKEN = "combined_broken.csv"
# as the official list spells them; the last clip is not on disk
LINES = (
    "casme2,sub01,EP02_01f,1", "casme2,sub17,EP01_13,0", "casme2,sub17,EP05_03f,2",
    "smic,s01,s01_ne_01,0", "smic,s01,s01_sur_02,2", "smic,s03,s03_ne_02,0", "smic,s03,s03_po_11,1",
    "samm,6,006_1_2,0", "samm,6,006_1_10,1", "samm,11,011_1_1,0", "samm,11,011_5_3,2", "samm,28,028_4_2,0",
    "casme2,sub26,EP18_50,0",
)  # fmt: skip


def write(writer: Writer) -> None:
    """The three trees in folders of their names, and the list in two variants."""
    keys = {tuple(line.split(",")[:3]) for line in LINES}
    for folder, module in (("CASME2", casme2_tree), ("SAMM", samm_tree), ("SMIC", smic_tree)):
        (writer.root / folder).mkdir()
        own = replace(writer, root=writer.root / folder, samples=[], issues=[])
        module.write(own, 0) if module is casme2_tree else module.write(own)
        name = folder.lower()
        listed = [one for one in own.samples if (name, *_spelled(name, one.key)) in keys]
        writer.samples += listed
        writer.issues += own.issues
        if len(listed) < len(own.samples):
            writer.issues.append(f"info {LIST}")
    writer.write_text(LIST, "".join(f"{line}\r\n" for line in LINES))
    broken = [*LINES[:2], ",,,", *LINES[2:-1], ",,,"]
    writer.write_text(BROKEN, "".join(f"{line}\r\n" for line in broken))
    writer.issues.append(f"error {LIST} line {len(LINES)}")


def _spelled(dataset: str, key: str) -> tuple[str, str]:
    """Subject and clip as the list spells them."""
    if dataset == "casme2":
        subject, clip = key.split("/")
        return f"sub{subject}", clip
    return (str(int(key[:3])), key) if dataset == "samm" else (key[:3], key)
