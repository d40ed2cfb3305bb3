"""Annotation tables as they come: `.xlsx`, `.xls` or `.csv`, with the header wherever it is, cells as text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from affectkit.datasets.csv_rows import read_rows
from affectkit.errors import InputError, MissingDependencyError, listed

# Releases put up to 13 lines of citation and symbols above the header.
HEADER_ROWS = 30
# What Excel writes beside a workbook that is open.
_LOCK = "~$"
Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TableRow:
    """One row below the header.

    Attributes:
        where: file and row, as people count them in a spreadsheet: `CASME2-coding-20140508.xlsx row 12`.
        cells: text by our name of the column; empty where the cell or an optional column is.
        raw: text by the table's own name of the column, every column that has one.
    """

    where: str
    cells: Mapping[str, str]
    raw: Mapping[str, str]


def find_tables(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Files directly below `root` whose name fits one of the patterns (`SAMM_*.xlsx`), whatever its case; sorted."""
    wanted = [pattern.lower() for pattern in patterns]
    names = (name for name in os.listdir(root) if not name.startswith((_LOCK, ".")))
    fits = (name for name in names if any(fnmatch(name.lower(), pattern) for pattern in wanted))
    return sorted(root / name for name in fits)


def find_table(root: Path, patterns: tuple[str, ...], named: str | None = None, *, field: str = "table") -> Path:
    """The one annotation table below `root`.

    Arguments:
        root: the dataset's folder.
        patterns: names that it may have.
        named: its path, seen from `root`, where the user says it.
        field: what to say it with, for messages.

    Raises:
        InputError: there is none, or there are several and none is named.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder that holds the dataset")
    if named is not None:
        if not (root / named).is_file():
            raise InputError(f"{root / named}: no such file; give {field} as seen from {root}")
        return root / named
    found = find_tables(root, patterns)
    if not found:
        raise InputError(f"{root}: no table {' or '.join(map(repr, patterns))}; put it there, or say {field}=")
    if len(found) > 1:
        raise InputError(f"{root}: tables {listed(path.name for path in found)}; say which with {field}=")
    return found[0]


def read_table(path: Path, columns: Columns, *, optional: Columns | None = None, sheet: str = "") -> list[TableRow]:
    """The rows below the header, which is the first row with all columns among the first 30 of a sheet.

    Names of columns are compared without case, blanks and punctuation. Rows without any text are left out.

    Arguments:
        path: the table.
        columns: our name of each column that has to be there, and the names that tables give it.
        optional: the same of columns that may be missing.
        sheet: which sheet of a workbook; by default the first that has such a header.

    Raises:
        InputError: it can't be read, has no such sheet, or no header with these columns.
        MissingDependencyError: the package that reads its format is not installed.
    """
    book = read_book(path)
    if sheet and sheet not in book:
        raise InputError(f"{path}: no sheet {sheet!r} among {listed(book)}; give another table")
    best: tuple[int, str, int, list[str]] = (0, "", 0, [])
    for name, rows in book.items():
        if sheet and name != sheet:
            continue
        for number, row in enumerate(rows[:HEADER_ROWS], start=1):
            places = _places(row, {**columns, **(optional or {})})
            missing = [names[0] for key, names in columns.items() if key not in places]
            if not missing:
                return _rows(path, row, places, rows[number:], number)
            if len(columns) - len(missing) > best[0]:
                best = (len(columns) - len(missing), name, number, missing)
    if best[0] < 2:
        needed = ", ".join(repr(names[0]) for names in columns.values())
        raise InputError(f"{path}: no header with {needed} in the first {HEADER_ROWS} rows; give another table")
    _, _, number, missing = best
    raise InputError(f"{path} row {number}: no column {listed(missing)}; rename it, or give another table")


def read_book(path: Path) -> dict[str, list[list[str]]]:
    """Every sheet as rows of text, by name; a `.csv` file is one sheet without a name.

    Raises:
        InputError: it can't be read.
        MissingDependencyError: the package that reads its format is not installed.
    """
    readers = {".xlsx": _read_xlsx, ".xlsm": _read_xlsx, ".xls": _read_xls, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: {path.suffix!r} is no table; save it as .xlsx or .csv")
    try:
        return reader(path)
    except (MissingDependencyError, InputError):
        raise
    except Exception as error:  # a damaged workbook raises whatever its zip, XML or cells do
        raise InputError(f"{path}: can't be read ({type(error).__name__}); save it as .xlsx or .csv") from error


def cell_text(value: object) -> str:
    """A cell as text without blanks around it: nothing is '', and a whole number has no `.0`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def parse_frame(text: str) -> int | None:
    """A frame number written as `46` or `46.0`; None for anything else, such as `/`."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def parse_seconds(text: str) -> float | None:
    """Seconds; None for anything but a finite number from 0."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def parse_fps(text: str) -> float | None:
    """A rate in frames per second; None for anything but a finite number above 0."""
    return parse_seconds(text) or None


def _places(row: list[str], columns: Columns) -> dict[str, int]:
    plain = [_plain(cell) for cell in row]
    found = {}
    for key, names in columns.items():
        at = next((plain.index(_plain(name)) for name in names if _plain(name) in plain), None)
        if at is not None:
            found[key] = at
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _rows(path: Path, header: list[str], places: dict[str, int], rows: list[list[str]], above: int) -> list[TableRow]:
    titled = [(at, title) for at, title in enumerate(header) if title]
    made = []
    for number, row in enumerate(rows, start=above + 1):
        if not any(row):
            continue
        cells = row + [""] * (len(header) - len(row))
        raw = {title: cells[at] for at, title in titled}
        made.append(TableRow(f"{path.name} row {number}", {key: cells[at] for key, at in places.items()}, raw))
    return made


def _read_csv(path: Path) -> dict[str, list[list[str]]]:
    return {"": [[cell.strip() for cell in row] for row in read_rows(path)]}


def _read_xlsx(path: Path) -> dict[str, list[list[str]]]:
    book = _import("openpyxl", path, "'affectkit[data]'").load_workbook(path, read_only=True, data_only=True)
    try:
        sheets = {}
        for sheet in book.worksheets:
            # The size that a workbook says of itself is sometimes wrong.
            sheet.reset_dimensions()
            sheets[sheet.title] = [[cell_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        return sheets
    finally:
        book.close()


def _read_xls(path: Path) -> dict[str, list[list[str]]]:
    book = _import("xlrd", path, "xlrd").open_workbook(str(path))
    return {
        sheet.name: [[cell_text(cell) for cell in sheet.row_values(at)] for at in range(sheet.nrows)]
        for sheet in book.sheets()
    }


def _import(module: str, path: Path, package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        other = ".csv" if module == "openpyxl" else ".xlsx"
        raise MissingDependencyError(
            f"{path}: needs {module!r}, which is not installed; run pip install {package}, or save it as {other}"
        ) from error
