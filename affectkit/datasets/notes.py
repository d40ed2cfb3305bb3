"""Issues of one scan, in the order in which they are met."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from affectkit.datasets.frame_folders import FrameFolder
from affectkit.errors import InputError, listed
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

    def add_names(self, where: str, folder: FrameFolder, sample: str) -> None:
        """What is odd about the names of a folder's pictures, if anything."""
        for names, what in (
            (folder.doubles, "with a number that another has; the first by name counts"),
            (folder.unnumbered, "without a number in its name; left out"),
        ):
            if names:
                self.add("warning", where, f"{counted(len(names), 'picture')} {what}: {named(names)}", sample)

    def add_second(self, path: str, first: str, base: Path, sample: str) -> None:
        """A folder of a sample that has one already."""
        shown = [str(Path(one).relative_to(base)) for one in (path, first)]
        self.add("warning", shown[0], f"is a second folder of {sample}; {shown[1]} counts", sample)

    def add_stray(self, path: str, base: Path) -> None:
        """A folder that looks like one of a sample, and whose name, or that above it, says of none."""
        fact = "its path names no subject or clip; rename it, or take it away"
        self.add("warning", str(Path(path).relative_to(base)), fact)

    def add_refused(self, error: InputError, path: Path, sample: str) -> None:
        """A file that can't be read: what is wrong with one must not hide what is in the others."""
        place, _, fact = str(error).removeprefix(str(path)).partition(": ")
        self.add("error", f"{path.name}{place}", fact, sample)

    def since(self, count: int) -> tuple[Issue, ...]:
        """Those after the first `count`."""
        return tuple(self.issues[count:])


def counted(count: int, noun: str) -> str:
    """`1 clip`, `2 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def named(names: Iterable[object], limit: int = 5) -> str:
    """Names without quotes, at most `limit`, then how many more."""
    return listed(names, limit).replace("'", "")
