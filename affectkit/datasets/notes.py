"""Issues of one scan, in the order in which they are met."""

from __future__ import annotations

from collections.abc import Iterable

from affectkit.errors import listed
from affectkit.records import Issue, IssueLevel


class Notes:
    """Collects issues.

    Attributes:
        issues: so far.
    """

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def add(self, level: IssueLevel, where: str, fact: str, sample: str | None = None) -> None:
        """One more: what is odd at `where`, and what to do about it."""
        self.issues.append(Issue(level=level, where=where, fact=fact, sample=sample))

    def since(self, count: int) -> tuple[Issue, ...]:
        """Those after the first `count`."""
        return tuple(self.issues[count:])


def counted(count: int, noun: str) -> str:
    """`1 clip`, `2 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def named(names: Iterable[object], limit: int = 5) -> str:
    """Names without quotes, at most `limit`, then how many more."""
    return listed(names, limit).replace("'", "")
