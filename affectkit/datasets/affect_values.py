"""Valence and arousal of a picture, as annotations write them."""

from __future__ import annotations

from affectkit.datasets.notes import Notes
from affectkit.records import Labels

# Both are this number where nobody could say.
UNDEFINED = -2.0


def parse_affect(valence: str, arousal: str, where: str, key: str, notes: Notes) -> Labels:
    """Values `(2,)` in [-1, 1]; neither is valid where one is -2, or where one can't be, which is noted."""
    import numpy as np

    try:
        values = [float(valence), float(arousal)]
    except ValueError:
        values = [float("nan")] * 2
    # a NaN is in no range
    is_valid = all(-1 <= value <= 1 for value in values)
    if not is_valid and UNDEFINED not in values:
        fact = f"valence {valence!r} and arousal {arousal!r} are not in [-1, 1], and not -2; they are not valid"
        notes.add("warning", where, fact, key)
    found = np.array(values if is_valid else (0.0, 0.0), dtype=np.float32)
    return Labels(found, np.full(2, is_valid))
