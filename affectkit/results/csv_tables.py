"""Tables as CSV: UTF-8, one line each, an empty cell where there is no value; numbers read back as they were."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence as Items
from pathlib import Path
from typing import IO

from affectkit.errors import InputError
from affectkit.results.info import RunInfo
from affectkit.results.places import check_count, info_of
from affectkit.results.rows import Cell, Cells, column_type


class CsvTables:
    """Writes and reads CSV files. What is said about the run is in a file beside them."""

    def encode(self, columns: tuple[str, ...], lines: Items[Cells], info: RunInfo) -> bytes:
        """A header and the lines; `info` has no place in it."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(line.get(name)) for name in columns] for line in lines)
        return text.getvalue().encode()

    def columns(self, path: Path) -> tuple[str, ...]:
        """The header."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return tuple(next(csv.reader(file), []))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: can't be read ({error}); give a table that analyze wrote") from error

    def info(self, path: Path) -> RunInfo | None:
        """What the file beside it says."""
        beside = info_of(path)
        try:
            data = json.loads(beside.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{beside}: can't be read ({error}); remove it, or analyze the video again") from error
        return RunInfo.from_data(data, str(beside))

    def count(self, path: Path) -> int:
        """Lines after the header; the whole file is read."""
        return sum(1 for _ in _cells(path)) - 1

    def read(self, path: Path, columns: tuple[str, ...], start: int = 0) -> Iterator[tuple[str, Cells]]:
        """Lines from `start` on; those before are read over."""
        types = [column_type(name) for name in columns]
        for number, cells in itertools.islice(_cells(path), start + 1, None):
            where = f"line {number}"
            if len(cells) != len(columns):
                raise _damaged(path, where, f"{len(cells)} cells for {len(columns)} columns")
            try:
                values = [kind(cell) if cell else None for kind, cell in zip(types, cells, strict=True)]
            except ValueError as error:
                raise _damaged(path, where, error) from error
            yield where, dict(zip(columns, values, strict=True))

    def join(self, parts: Iterable[tuple[Path, int]], columns: tuple[str, ...], info: RunInfo, file: IO[bytes]) -> None:
        """One header, then the lines of all parts."""
        header = self.encode(columns, (), info)
        file.write(header)
        for path, count in parts:
            lines = [line for _, line in itertools.islice(self.read(path, columns), count)]
            check_count(path, len(lines), count)
            file.write(self.encode(columns, lines, info)[len(header) :])


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Every line with its number, the header too.

    Raises:
        InputError: it can't be read, or ends within a line.
    """
    line_number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # a number that is cut short would read as another number
            is_whole = [True]
            reader = csv.reader(_watched(file, is_whole))
            for cells in reader:
                line_number = reader.line_num
                if not is_whole[0]:
                    raise _damaged(path, f"line {line_number}", "it ends within")
                yield line_number, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, f"line {line_number}", error) from error


def _watched(lines: Iterable[str], is_whole: list[bool]) -> Iterator[str]:
    for line in lines:
        is_whole[0] = line.endswith("\n")
        yield line


def _damaged(path: Path, where: str, reason: object) -> InputError:
    return InputError(f"{path}: {where} is no row ({reason}); analyze the video again")


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
