"""Columns of Parquet tables that anyone may have written: of another type, or with empty cells, they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError


def read_texts(path: Path, table: Any, name: str) -> NDArray[np.str_]:
    """A column of names, as text; empty ones where there is no such column."""
    import pyarrow as pa

    if name not in table.column_names:
        return np.array([""] * len(table), np.str_)
    kind = table[name].type
    # a table of anyone's has numbers for names, or each text once and where it is
    if not (pa.types.is_integer(kind) or is_text(kind)):
        raise InputError(f"{path}: column {name!r} is {kind}; give text")
    if table[name].null_count:
        row = table[name].is_null().to_pylist().index(True)
        raise InputError(f"{path}: column {name!r} is empty in row {row}; give every row its {name}")
    return np.array(table[name].to_pylist(), np.str_)


def read_frame_numbers(path: Path, table: Any) -> NDArray[np.int64]:
    """The column of whole numbers `frame`."""
    given = read_numbers(path, table, "frame")
    if (wrong := np.flatnonzero(~np.isfinite(given) | (given != np.round(given)))).size:
        fact = "is empty" if table["frame"][int(wrong[0])].as_py() is None else f"is {given[wrong[0]]:g}"
        raise InputError(f"{path}: column 'frame' {fact} in row {wrong[0]}; give whole numbers")
    return given.astype(np.int64)


def read_numbers(path: Path, table: Any, name: str) -> NDArray[Any]:
    """A column of numbers, with NaN where it is empty."""
    import pyarrow as pa

    kind = table[name].type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise InputError(f"{path}: column {name!r} is {kind}; give numbers")
    return np.asarray(table[name].to_numpy())


def is_text(kind: Any) -> bool:
    """Whether a column of this type holds text, each by itself or by a number."""
    import pyarrow as pa

    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))
