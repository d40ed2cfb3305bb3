"""Rows of tables that are text. One that is damaged is an error with its path, whichever reader opens it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from affectkit.errors import InputError


def read_rows(path: Path, *, delimiter: str = ",", has_quotes: bool = True) -> Iterator[list[str]]:
    """Cells of each row, with blanks as they are; an empty line is a row without cells.

    Arguments:
        path: in UTF-8, with its mark or without.
        delimiter: between cells.
        has_quotes: whether quotes stand around cells, and not in them.

    Raises:
        InputError: it can't be read, is empty, or is no such text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE)
            is_empty = True
            for row in rows:
                is_empty = False
                yield row
    except UnicodeDecodeError as error:
        # where it says that the byte is counts from no place that a reader knows
        raise InputError(f"{path}: is no text in UTF-8 ({error.reason}); unpack it again") from error
    except csv.Error as error:
        raise InputError(f"{path} row {rows.line_num}: {error}; unpack it again") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); unpack it again") from error
    if is_empty:
        raise InputError(f"{path}: is empty; unpack it again")
