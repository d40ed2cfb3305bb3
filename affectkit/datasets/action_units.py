"""Action units as coders write them: `4+R10`, `7B`, `10A/B`, `(R6 or R12)+R15`, `ref(7B)+43`, `?`.

One grammar for the cells of every table:

    cell      := item (('+' | ',') item)* | '?' | 'null' | ''
    item      := alt (('or' | '/') alt)* | 'ref(' item ')' | '(' cell ')'
    alt       := [side] ['AU' | 'AD'] number [intensity ['/' intensity]] ['(k)']
    side      := L, R (one side), A (asymmetric), T (top), B (bottom)
    intensity := A to E
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

_ALT = re.compile(
    # not within a word: the `r` of `6 or 12` is no side
    r"(?<![A-Za-z\d])(?P<side>[LRATB](?:/[LRATB])?)?\s*(?P<kind>AU|AD)?\s*(?P<number>\d{1,2})(?!\d)"
    r"(?:(?P<low>[A-E])(?:/(?P<high>[A-E]))?(?![A-Za-z])|\((?P<inner>[A-E](?:/[A-E])?)\))?(?P<k>\(k\))?",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\bref\b", re.IGNORECASE)
_JOINTS = re.compile(r"\bref\b|\bor\b|[()/\s]+", re.IGNORECASE)
_NOTHING = ("", "?", "null", "none", "nan", "/", "-")
# Full-width comma and brackets, as they are typed on some keyboards.
_PLAIN = {0xFF0C: ",", 0xFF08: "(", 0xFF09: ")"}


@dataclass(frozen=True, kw_only=True)
class AUToken:
    """One action unit of a cell.

    Attributes:
        number: of the Facial Action Coding System.
        side: `L` or `R`, the subject's own; `A` asymmetric, `T` top, `B` bottom; several are alternatives (`A/L`);
            empty for the whole face.
        intensity: `A` (trace) to `E`, or two such as `B/C` where the coders were between them; empty if not coded.
        kind: `AU`, or `AD` for an action descriptor.
        uncertain: whether it is one of several alternatives, marked with `(k)`, or stands in `ref(...)`.
    """

    number: int
    side: str = ""
    intensity: str = ""
    kind: Literal["AU", "AD"] = "AU"
    uncertain: bool = False


def parse_aus(cell: str) -> tuple[AUToken, ...]:
    """The action units of a cell, in its order; empty for `?`, `null` and an empty cell. Never raises."""
    return _parse(cell)[0]


def unread_text(cell: str) -> str:
    """What `parse_aus` could not make sense of; empty where it read the whole cell."""
    return _parse(cell)[1]


# the same few cells stand in most rows
@functools.lru_cache(maxsize=1024)
def _parse(cell: str) -> tuple[tuple[AUToken, ...], str]:
    text = cell.strip().translate(_PLAIN)
    tokens: list[AUToken] = []
    rest: list[str] = []
    for item in () if text.lower() in _NOTHING else re.split(r"[+,;]", text):
        found = list(_ALT.finditer(item))
        doubted = len(found) > 1 or _REFERENCE.search(item) is not None
        tokens += [_token(match, doubted) for match in found]
        # brackets around a sum are opened: what they join is joined anyway
        rest.append(_JOINTS.sub("", _ALT.sub("", item)))
    return tuple(tokens), " ".join(filter(None, rest))


def _token(match: re.Match[str], doubted: bool) -> AUToken:
    low, high, inner = match["low"], match["high"], match["inner"]
    return AUToken(
        number=int(match["number"]),
        side=(match["side"] or "").upper(),
        intensity=(inner or (f"{low}/{high}" if high else low) or "").upper(),
        kind="AD" if (match["kind"] or "").upper() == "AD" else "AU",
        uncertain=doubted or match["k"] is not None,
    )
