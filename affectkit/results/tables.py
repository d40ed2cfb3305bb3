"""The two kinds of files that a table can be, seen alike: cells in, cells out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence as Items
from pathlib import Path
from typing import IO, Protocol

from affectkit.results.csv_tables import CsvTables
from affectkit.results.info import RunInfo
from affectkit.results.parquet_tables import ParquetTables
from affectkit.results.places import TABLE_ENDINGS, check_ending
from affectkit.results.rows import Cells


class TableFormat(Protocol):
    """How a table is a file. Errors of reading are InputError and begin with the path."""

    def encode(self, columns: tuple[str, ...], lines: Items[Cells], info: RunInfo) -> bytes:
        """A whole file with these lines."""

    def columns(self, path: Path) -> tuple[str, ...]:
        """Names of the columns of a file."""

    def info(self, path: Path) -> RunInfo | None:
        """What a file says about its run; None where it says nothing."""

    def count(self, path: Path) -> int:
        """How many lines a file has."""

    def read(self, path: Path, columns: tuple[str, ...], start: int = 0) -> Iterator[tuple[str, Cells]]:
        """Lines from `start` on, each with its name for errors (`line 3`); one after the other, in constant memory."""

    def join(self, parts: Iterable[tuple[Path, int]], columns: tuple[str, ...], info: RunInfo, file: IO[bytes]) -> None:
        """Write the first so many lines of each part into one file, in constant memory."""


_FORMATS: dict[str, TableFormat] = {".csv": CsvTables(), ".parquet": ParquetTables()}


def format_of(path: Path) -> TableFormat:
    """The format that the ending of `path` names.

    Raises:
        InputError: the ending is another.
    """
    check_ending(path, TABLE_ENDINGS, "give a .parquet or .csv file that analyze wrote")
    return _FORMATS[path.suffix]
