"""One table on its way: lines wait in memory until they are a part, a file of their own that is whole and on the disk.

Parts hold `part_rows` lines each, but for the last, which is written anew with every checkpoint until it is full. So
there are few of them however often checkpoints come; and as a part only ever grows, lines that counted once still do.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from affectkit.errors import InputError
from affectkit.results.places import check_count, replacing
from affectkit.results.progress import Progress, part_path
from affectkit.results.rows import Cells
from affectkit.results.tables import format_of


class PartWriter:
    """Writes the parts of the table `rows` or `events`.

    Ctrl-C may come at any moment: what is counted is always what is there.
    """

    def __init__(self, folder: Path, name: str, ending: str, columns: tuple[str, ...], progress: Progress) -> None:
        self._folder, self._name, self._ending = folder, name, ending
        self._columns = columns
        self._names = frozenset(columns)
        self._progress = progress
        self._format = format_of(Path(ending).with_name(f"part{ending}"))
        # Lines of full parts; those of the part that is not full, and how many of them are on the disk.
        self._before = 0
        self._lines: list[Cells] = []
        self._saved = 0

    @property
    def count(self) -> int:
        """Lines so far, those in memory too."""
        return self._before + len(self._lines)

    @property
    def is_full(self) -> bool:
        """Whether what waits is a whole part."""
        return len(self._lines) >= self._progress.part_rows

    def add(self, cells: Cells) -> None:
        """Keep one line.

        Raises:
            InputError: it has a cell that no column takes.
        """
        # dict views compare without a copy: this runs for every row of a video
        if not cells.keys() <= self._names:
            name = next(name for name in cells if name not in self._names)
            raise InputError(f"{self._name}: {name!r} is no column of the table; name it when the writer is made")
        self._lines.append(cells)

    def flush(self) -> None:
        """Write what waits as a whole file; a full part is then forgotten.

        Raises:
            OSError: it can't be written; the part as it was before stays.
        """
        if len(self._lines) > self._saved:
            number = self._before // self._progress.part_rows
            data = self._format.encode(self._columns, self._lines, self._progress.info)
            with replacing(part_path(self._folder, self._name, number, self._ending)) as file:
                file.write(data)
            self._saved = len(self._lines)
        if self.is_full:
            self._before, self._lines, self._saved = self.count, [], 0

    def restore(self, count: int) -> None:
        """Go on after the first `count` lines of what is on the disk; later ones are deleted.

        Raises:
            InputError: a part is damaged.
            OSError: a part can't be deleted.
        """
        for part, lines in self._progress.parts(self._folder, self._name, self._ending):
            check_count(part, self._format.count(part), lines)
        number, waiting = divmod(count, self._progress.part_rows)
        path = part_path(self._folder, self._name, number, self._ending)
        if waiting:
            found = itertools.islice(self._format.read(path, self._columns), waiting)
            self._lines = [cells for _, cells in found]
            number += 1
        self._before, self._saved = count - waiting, waiting
        for left in self._folder.glob(f"{self._name}-*{self._ending}"):
            if left.name >= part_path(self._folder, self._name, number, self._ending).name:
                left.unlink()
