"""Canonical keys of persons: `casme2/01`, `samm/006`. One person has one key, however a release spells the name.

LOSO groups by them. A table says `1` where the folder says `sub01`, and a challenge's list says `6` where both say
`006`; with either as group, one person could be in both halves of a split.
"""

from __future__ import annotations

import re

# Digits of the number. SAMM's long videos show the people of SAMM, so they share its keys; so do DISFA and DISFA+.
_WIDTHS = {
    "casme": 2, "casme2": 2, "samm": 3, "smic": 2, "mmew": 2, "cas-me-2": 2, "cas-me-3": 3, "dfme": 4, "disfa": 3,
}  # fmt: skip
_SPELLED = re.compile(r"(?:sub|spno\.|sn|s)?\s*0*(\d+)", re.IGNORECASE)


def canonical_subject(dataset: str, name: str) -> str | None:
    """`dataset/number`, padded as the dataset pads it; None if `name` is no spelling of a number.

    `1`, `01`, `sub01`, `s1`, `S01`, `SN001` and `spNO.1` are all number 1. In a dataset that does not number its
    subjects, the name is taken as it is.
    """
    if dataset not in _WIDTHS:
        return f"{dataset}/{name}" if name else None
    found = _SPELLED.fullmatch(name.strip())
    return f"{dataset}/{int(found[1]):0{_WIDTHS[dataset]}d}" if found else None
