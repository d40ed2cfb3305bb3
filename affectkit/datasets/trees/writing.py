"""Writes frames and tables of synthetic trees, and keeps what a right reader finds in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence as Items
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from affectkit.errors import MissingDependencyError

# Rows and columns of a picture: sizes are part of no layout.
_SIZE = (10, 8)
Cells = Items[object]
TreeEvent = tuple[int, int | None, int, str | None]


# A class by name, or values; None where the annotation says nothing.
TreeLabel = str | tuple[float | None, ...] | tuple[tuple[float | None, ...], ...] | None


@dataclass(frozen=True, kw_only=True)
class TreeSample:
    """What a right reader makes of one picture, clip or video.

    Attributes:
        key, subject: of the sample.
        frames: numbers of its frames; of an array, the index.
        events: onset, apex, offset and word of each event; apex and word are None where none is annotated.
        file: of a picture, a video or an array.
        labels: by head name, of samples without events: a class by its name, values, or values of each frame.
    """

    key: str
    subject: str
    frames: tuple[int, ...] = ()
    events: tuple[TreeEvent, ...] = ()
    file: str = ""
    labels: Mapping[str, TreeLabel] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A synthetic tree that was written, and what a right reader with a default config finds in it.

    Attributes:
        root: the folder to scan.
        samples: sorted by dataset and key.
        issues: level and place of each issue, `warning SAMM.xlsx row 16`, sorted.
    """

    root: Path
    samples: tuple[TreeSample, ...]
    issues: tuple[str, ...]


@dataclass
class Writer:
    """Writes below one folder.

    Attributes:
        root: the folder.
        rng: draws the pictures and invented values.
        pictures: whether files of frames are pictures, or empty.
        samples, issues: what a right reader finds, so far.
    """

    root: Path
    rng: np.random.Generator
    pictures: bool = True
    samples: list[TreeSample] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)

    def write_frames(self, folder: str, names: Iterable[str]) -> None:
        """Files of these names, in the format that each one's ending says."""
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        for name in names:
            data = _encode(name, self.rng) if self.pictures else b""
            with open(f"{path}/{name}", "wb") as file:
                file.write(data)

    def write_text(self, name: str, text: str) -> None:
        """A text file, with the line ends that `text` has."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, data: bytes) -> None:
        """A file of these bytes."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def write_book(self, name: str, sheets: Mapping[str, Iterable[Cells]]) -> None:
        """A workbook; cells keep their types, None is blank.

        Raises:
            MissingDependencyError: openpyxl is not installed.
        """
        try:
            import openpyxl
        except ImportError as error:
            raise MissingDependencyError(
                f"{name}: needs 'openpyxl', which is not installed; run pip install 'affectkit[data]'"
            ) from error
        book: Any = openpyxl.Workbook(write_only=True)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
        book.save(self.root / name)

    def expect(
        self,
        key: str,
        subject: str,
        frames: Iterable[int],
        *events: TreeEvent,
        issues: Iterable[str] = (),
    ) -> None:
        """Keep one sample, and its issues."""
        self.samples.append(TreeSample(key=key, subject=subject, frames=tuple(frames), events=events))
        self.issues += issues

    def expect_labeled(
        self, key: str, subject: str, *, file: str = "", frames: Iterable[int] = (), **labels: TreeLabel
    ) -> None:
        """Keep one sample without events, with its labels by head name."""
        sample = TreeSample(key=key, subject=subject, frames=tuple(frames), file=file, labels=labels)
        self.samples.append(sample)

    def tree(self) -> Tree:
        """What was written."""
        samples = tuple(sorted(self.samples, key=lambda one: (one.subject.partition("/")[0], one.key)))
        return Tree(root=self.root, samples=samples, issues=tuple(sorted(self.issues)))


def span(first: int, last: int, *, without: Iterable[int] = ()) -> list[int]:
    """Numbers from first to last, both included."""
    out = set(without)
    return [number for number in range(first, last + 1) if number not in out]


def _encode(name: str, rng: np.random.Generator) -> bytes:
    import cv2

    noise = rng.integers(0, 256, _SIZE, dtype=np.uint8)
    _, data = cv2.imencode(f".{name.rpartition('.')[2]}", noise)
    return bytes(data)
