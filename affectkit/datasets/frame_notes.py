"""What is said of labels of frames, by every reader in the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence as Items

from affectkit.datasets.frame_places import Placed
from affectkit.datasets.notes import Notes, counted, named


def note_lines(where: str, lines: Iterable[int], what: str, notes: Notes, sample: str | None = None) -> None:
    """Lines of a file, counted from 1, whose labels are not valid; nothing where there are none."""
    numbers = [int(line) for line in lines]
    if numbers:
        fact = f"{counted(len(numbers), 'line')} {what}: {named(numbers)}; not valid"
        notes.add("warning", where, fact, sample)


def note_missing(placed: Placed, count: int, policy: str, video: str, notes: Notes, file: str = "") -> None:
    """Frames without a picture, of `count` that have labels, and what became of them.

    Where the last ones are among them, the `file` of labels is named, since it may have a line too many.
    """
    if placed.missing:
        fate = "the nearest stands in" if policy == "keep" else "left out"
        fact = f"{len(placed.missing)} of {counted(count, 'frame')} without a picture: {named(placed.missing)}; {fate}"
        if file and count in placed.missing:
            fact += f" (no face was found in the last, or {file} has lines too many)"
        notes.add("info", video, fact, video)


def note_left_out(where: str, left_out: Counter[str], classes: Items[str], notes: Notes) -> None:
    """Frames of classes that were not asked for."""
    if total := left_out.total():
        words = named(f"{name} {count}" for name, count in sorted(left_out.items()))
        fact = f"{counted(total, 'frame')} in no class of {', '.join(classes)} ({words}): not valid"
        notes.add("info", where, fact)
