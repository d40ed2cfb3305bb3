"""Tables of anyone's, `.csv` or `.parquet`, as columns of text. No column is left out, and no line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from affectkit.errors import InputError
from affectkit.results.places import check_file, replacing

Columns = Mapping[str, tuple[str, ...]]
ENDINGS = (".parquet", ".csv")


def read_columns(path: Path, what: str) -> dict[str, tuple[str, ...]]:
    """Columns by name, of equal length; a cell without a value is empty.

    Arguments:
        path: ends with `.parquet` or `.csv`.
        what: the table should hold, for messages: `predictions`.

    Raises:
        InputError: there is no such file, it can't be read, a line has too few or too many cells, or a name is there
            twice.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path, what)
    rows = list(csv.reader(io.StringIO(read_text(path, what), newline="")))
    header = rows[0] if rows else []
    if len(set(header)) < len(header):
        raise InputError(f"{path}: two columns have one name; give each its own")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise InputError(f"{path}, line {number}: {len(row)} cells for {len(header)} columns; mend the line")
    return {name: tuple(row[at] for row in rows[1:]) for at, name in enumerate(header)}


def write_columns(columns: Columns, path: Path, *, overwrite: bool) -> None:
    """A file that `read_columns` reads.

    Raises:
        InputError: the file is there already, or can't be written.
    """
    check_file(path, overwrite=overwrite)
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with replacing(path) as file:
            pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), file)
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    with replacing(path) as file:
        file.write(text.getvalue().encode())


def read_text(path: Path, what: str) -> str:
    """A text file, with its line ends as they are.

    Raises:
        InputError: there is no such file, or it is no text.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({error}); give a table of {what}") from error


def check_lengths(columns: Columns, count: int, what: str, source: str) -> None:
    """Raise InputError unless every column has `count` cells."""
    for name, cells in columns.items():
        if len(cells) != count:
            raise InputError(f"{source}: {len(cells)} cells of {name!r} for {count} {what}; give one each")


def joined(columns: Columns, *names: str) -> tuple[str, ...]:
    """Those of the columns that are there, cell by cell, with a slash between."""
    return tuple("/".join(cells) for cells in zip(*(columns[name] for name in names if name in columns), strict=True))


def _read_parquet(path: Path, what: str) -> dict[str, tuple[str, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        table = pq.read_table(path)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error}); give a table of {what}") from error
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: is no Parquet file ({error}); give a table of {what}") from error
    columns = {name: table[name].to_pylist() for name in table.column_names}
    return {name: tuple("" if cell is None else str(cell) for cell in cells) for name, cells in columns.items()}
