"""From a cell of action units, `1+2+L12`, to labels of one picture."""

from __future__ import annotations

import re
from collections.abc import Sequence as Items

from affectkit.datasets.action_units import parse_aus, unread_text
from affectkit.datasets.notes import Notes
from affectkit.errors import ConfigError
from affectkit.records import Labels

# What coders write of a picture in which no unit moves.
NONE = "null"
_UNIT = re.compile(r"(AU|L|R)\d{1,2}")


def label_cell(cell: str, units: Items[str], where: str, key: str, notes: Notes) -> Labels:
    """Occurrence float32 `(K,)` of units such as `AU12`, or `L12` and `R12`, which move on that side alone.

    `AU12` occurs where any of 12, L12 and R12 is written; `L12` where that is, as coders keep the two apart. A unit
    that is not written does not occur. Not valid are units of which the coders were not sure, and all of a picture
    whose cell is empty, or can't be read, which is noted.
    """
    import numpy as np

    unread = unread_text(cell)
    tokens = parse_aus(cell)
    if unread or (not tokens and cell.strip().lower() != NONE):
        fact = f"action units {cell!r} can't be read; write such as '1+L12', or {NONE!r} where there is none; not valid"
        notes.add("warning", where, fact, key)
        return Labels(np.zeros(len(units), np.float32), np.zeros(len(units), np.bool_))
    values = np.zeros(len(units), np.float32)
    valid = np.ones(len(units), np.bool_)
    for place, unit in enumerate(units):
        own = [one for one in tokens if _is_of(one.number, one.side, unit)]
        values[place] = any(not one.uncertain for one in own)
        valid[place] = not own or bool(values[place])
    return Labels(values, valid)


def check_units(units: Items[str]) -> None:
    """Raise ConfigError unless each is a unit as `label_cell` takes them: `AU12`, `L12` or `R12`."""
    if unknown := next((unit for unit in units if not _UNIT.fullmatch(unit)), None):
        raise ConfigError(f"{unknown!r} is no action unit", "write one such as 'AU12' or 'L12'", path="units")


def _is_of(number: int, side: str, unit: str) -> bool:
    if unit.startswith("AU"):
        return number == int(unit[2:])
    return number == int(unit[1:]) and side == unit[0]
