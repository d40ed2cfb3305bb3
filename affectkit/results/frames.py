"""Tables as pandas data frames: the same columns and types whatever the table was read from."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from affectkit.errors import MissingDependencyError
from affectkit.results.rows import column_type


def data_frame(columns: tuple[str, ...], lines: Iterable[Mapping[str, Any]]) -> Any:
    """A `pandas.DataFrame`: whole numbers as `Int64`, which has missing values, words as categories, others as float64.

    Arguments:
        columns: their names, in order.
        lines: cells by column; what is missing becomes NaN or NA.

    Raises:
        MissingDependencyError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError("to_pandas: needs pandas; pip install affectkit[pandas]") from error
    types = [column_type(name) for name in columns]
    # numbers as plain memory: a list of float objects takes four times as much
    values: list[Any] = [array("d") if kind is float else [] for kind in types]
    for line in lines:
        for name, kind, column in zip(columns, types, values, strict=True):
            value = line.get(name)
            column.append(float("nan") if value is None and kind is float else value)
    kinds = {int: "Int64", float: "float64", str: "category"}
    return pandas.DataFrame(
        {
            name: pandas.Series(column, dtype=kinds[kind])
            for name, kind, column in zip(columns, types, values, strict=True)
        }
    )
