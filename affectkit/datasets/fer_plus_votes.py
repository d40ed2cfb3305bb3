"""Votes of FER+ to one label, as its authors' code does (arXiv:1608.01041, section 3)."""

from __future__ import annotations

from collections.abc import Sequence as Items

# In the order of the columns. The last two are no expressions.
NAMES = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "nf",
)  # fmt: skip
EXPRESSIONS = 8
_UNKNOWN = NAMES.index("unknown")


def share_votes(votes: Items[float], mode: str) -> tuple[float, ...]:
    """Share of each name; they add up to 1. All is `unknown` where people did not agree.

    Arguments:
        votes: how many people said each of `NAMES`. A single vote does not count.
        mode: `majority`, `probability` or `multi-target`.
    """
    clean = [0.0 if vote <= 1 else float(vote) for vote in votes]
    total = sum(clean)
    if mode == "majority":
        kept = [vote if 2 * vote > total else 0.0 for vote in clean]
        is_clear = any(kept)
    elif mode == "probability":
        kept, count = _take_largest(clean)
        is_clear = sum(kept) > total / 2 and count <= 3
    else:
        kept = [vote if vote >= 0.3 * total else 0.0 for vote in clean]
        is_clear = sum(kept) > total / 2
    if not is_clear:
        kept = [float(place == _UNKNOWN) for place in range(len(NAMES))]
    return tuple(vote / sum(kept) for vote in kept)


def top_name(shares: Items[float]) -> str:
    """The name with the largest share, the first of equal ones."""
    return NAMES[shares.index(max(shares))]


def _take_largest(votes: list[float]) -> tuple[list[float], int]:
    """Votes from the largest on, until they are three quarters of all, or three names; equal ones are taken together.

    It ends at `unknown` or `nf`, which is not taken where an expression was taken before.
    """
    left, kept = list(votes), [0.0] * len(votes)
    total, taken, count = sum(votes), 0.0, 0
    while taken < 0.75 * total and count < 3:
        top = max(left)
        for place, vote in enumerate(left):
            if vote != top:
                continue
            kept[place], left[place] = top, 0.0
            taken += top
            count += 1
            if place >= EXPRESSIONS:
                if sum(kept) > top:
                    kept[place] = 0.0
                    count -= 1
                return kept, count
    return kept, count
