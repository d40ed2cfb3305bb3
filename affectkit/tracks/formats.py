"""What files of features hold, as arrays: `.npy`, `.npz`, `.parquet` and `.safetensors`. No pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError, listed

Array = NDArray[Any]
PARTS = ("values", "frames", "times")
# In the header of a .safetensors file: which encoder computed the values.
ENCODER_KEY = "affectkit_encoder"
# Columns that are no features, by what they are; a table has one of each at the most.
CLOCKS = {"frame": "frames", "pts": "times", "time": "times"}
# Numbers that tools write beside features, and that would be learned from unseen; by what to do with them.
_TIMES, _FRAMES = (
    "call it time if it is in seconds, or leave it out",
    "call it frame if 1 is the first, or leave it out",
)
OTHERS = {
    **dict.fromkeys(("timestamp", "timestamps", "times", "seconds"), _TIMES),
    **dict.fromkeys(("frames", "frame_id", "frame_index", "frame_number"), _FRAMES),
    **dict.fromkeys(("confidence", "success", "score", "face_id", "track", "index", "label"), "leave it out"),
}
_ROW_LABEL = "__index_level_"


@dataclass(frozen=True)
class Stored:
    """Arrays of a file, as they lie there; None for what it does not have. `encoder` is empty where it is not said."""

    values: Array
    frames: Array | None = None
    times: Array | None = None
    encoder: str = ""


def read_stored(path: Path) -> Stored:
    """The arrays of a file, by its ending.

    Raises:
        InputError: no such file, another ending, a damaged file, or other arrays and columns than a track has.
    """
    if path.suffix not in READERS:
        raise InputError(f"{path}: ending {path.suffix!r}; features are in files of {listed(READERS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    return READERS[path.suffix](path)


def _read_npy(path: Path) -> Stored:
    found = _load(path, "numpy.save")
    if not isinstance(found, np.ndarray):
        raise _damaged(path, "numpy.save")
    return Stored(found)


def _read_npz(path: Path) -> Stored:
    found = _load(path, "numpy.savez")
    if isinstance(found, np.ndarray):
        raise _damaged(path, "numpy.savez")
    return _stored(path, found)


def _load(path: Path, writer: str) -> Any:
    """An array, or arrays by name."""
    import zipfile

    try:
        # opened here, since numpy leaves a damaged file open
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path, writer) from error


def _read_safetensors(path: Path) -> Stored:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            encoder = (file.metadata() or {}).get(ENCODER_KEY, "")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _damaged(path, "write_track") from error
    # numpy has no bfloat16
    plain = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return replace(_stored(path, {name: tensor.numpy() for name, tensor in plain.items()}), encoder=encoder)


def _read_parquet(path: Path) -> Stored:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # not read_table, which takes `frame=1` in the name of a folder for a column
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, "write_track") from error
    names = [name for name in table.column_names if name not in _row_labels(table)]
    clocks = [name for name in names if name in CLOCKS]
    features = [name for name in names if name not in CLOCKS]
    for name in features:
        if (plain := name.strip().lower()) in OTHERS or plain.startswith(_ROW_LABEL):
            raise InputError(f"{path}: column {name!r} is no feature; {OTHERS.get(plain, 'leave it out')}")
    found = {CLOCKS[name]: _column(path, name, table.column(name)) for name in clocks}
    if len(found) < len(clocks):
        raise InputError(f"{path}: columns {listed(clocks)} say the time twice; keep one of them")
    if not features:
        raise InputError(f"{path}: no columns of features; give one per dimension, or one of lists")
    lists = [name for name in features if pa.types.is_nested(table.schema.field(name).type)]
    if not lists:
        values = np.stack([_column(path, name, table.column(name)) for name in features], axis=1)
    elif len(features) == 1:
        values = _lists(path, features[0], table.column(features[0]))
    else:
        raise InputError(f"{path}: columns {listed(features)}; give one per dimension, or one of lists")
    return Stored(values, found.get("frames"), found.get("times"))


def _row_labels(table: Any) -> set[str]:
    """Columns that pandas made of the labels of its rows, as its metadata say."""
    index = (table.schema.pandas_metadata or {}).get("index_columns", ())
    return {name for name in index if isinstance(name, str) and name.startswith(_ROW_LABEL)}


def _column(path: Path, name: str, column: Any) -> Array:
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InputError(f"{path}: column {name!r} is {column.type}; give numbers, or leave it out")
    # what is missing becomes NaN
    return np.asarray(column.to_numpy())


def _lists(path: Path, name: str, column: Any) -> Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not hasattr(column.type, "value_type") or pa.types.is_nested(column.type.value_type):
        raise InputError(f"{path}: column {name!r} is {column.type}; give lists of numbers")
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    if len(set(lengths.tolist())) > 1:
        row = int(np.flatnonzero(lengths != lengths[0])[0])
        fact = f"row {row} has {lengths[row]} features, row 0 has {lengths[0]}"
        raise InputError(f"{path}: {fact}; give as many in every row")
    flat = _column(path, name, pc.list_flatten(column))
    return flat.reshape(len(lengths), -1) if len(lengths) else flat.reshape(0, 0)


def _stored(path: Path, arrays: Mapping[str, Array]) -> Stored:
    if "values" not in arrays:
        raise InputError(f"{path}: no array 'values'; it has {listed(arrays) or 'none'}")
    if others := [name for name in arrays if name not in PARTS]:
        raise InputError(f"{path}: arrays {listed(others)} are not known; give {listed(PARTS)}")
    return Stored(arrays["values"], arrays.get("frames"), arrays.get("times"))


def _damaged(path: Path, writer: str) -> InputError:
    return InputError(f"{path}: is no whole {path.suffix} file of numbers; write it anew with {writer}")


READERS: Mapping[str, Callable[[Path], Stored]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".parquet": _read_parquet,
    ".safetensors": _read_safetensors,
}
