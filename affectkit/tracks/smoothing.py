"""A finished table of frames, smoothed over whole videos: what the map `smooth` does within a window.

The arithmetic is that of the map, `affectkit.ops.smoothing`. Distances are those of the table: numbers of frames or of
pictures; in a table that `analyze` wrote of a video, times, in frames of `time_unit` seconds as the map has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError, did_you_mean
from affectkit.maps.smooth import SmoothConfig
from affectkit.ops.smoothing import smooth_frames
from affectkit.protocols.columns import read_frame_numbers, read_numbers, read_texts
from affectkit.protocols.frame_predictions import NAMES, TRUTH
from affectkit.protocols.picture_names import frame_of
from affectkit.results.info import RunInfo
from affectkit.results.parquet_tables import METADATA_KEY
from affectkit.results.places import check_ending, check_file, replacing
from affectkit.results.rows import BASE_COLUMNS, base_of


@dataclass(frozen=True)
class SmoothedTable:
    """What `smooth_table` wrote.

    Attributes:
        videos: how many have values; of a table that `analyze` wrote of a video, how many faces that were followed.
        frames: how many rows, smoothed or not.
    """

    videos: int
    frames: int


@dataclass(frozen=True)
class _Stretches:
    """Rows of a table by video: names of each row's, where it is in there, and what a frame is in that."""

    names: tuple[NDArray[Any], ...]
    places: NDArray[Any]
    is_seconds: bool

    def __iter__(self) -> Any:
        """Rows of each video, in the order of their places."""
        order = np.lexsort((self.places, *self.names[::-1]))
        is_new = np.any([column[order][1:] != column[order][:-1] for column in self.names], axis=0)
        return iter(np.split(order, np.flatnonzero(is_new) + 1) if len(order) else [])


def smooth_table(
    table: str | Path, out: str | Path, outputs: Iterable[SmoothConfig], *, overwrite: bool = False
) -> SmoothedTable:
    """Write a table anew, with some outputs smoothed over each whole video; all other columns stay as they are.

    Arguments:
        table: a `.parquet` file of frames: of `predict` or `evaluate`, anyone's with `video` and `frame`, or one that
            `analyze` wrote, in which each face that was followed is smoothed by itself. Events beside it are not read.
        out: the new one, `.parquet`; may be the same with `overwrite`.
        outputs: by `source` which, and how, as the map `smooth` has it; `time_unit` counts where the table has times.
            Whole numbers, such as decisions 0 and 1, become float64.
            A frame without a value stays without one, and is nobody's neighbor.
        overwrite: whether `out` may be there.

    Raises:
        InputError: the table can't be read or has no such output, one is named twice, a picture's name says no video
            and frame, a frame is there twice, or `out` is there already or can't be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, out, chosen = Path(table), Path(out), list(outputs)
    for place in (path, out):
        check_ending(place, (".parquet",), "give a table of frames as .parquet")
    check_file(out, overwrite=overwrite)
    given = _read(path)
    stretches = _find(path, given)
    videos, smoothed = list(stretches), set[int]()
    for at, one in enumerate(chosen):
        if one.source in [other.source for other in chosen[:at]]:
            raise InputError(f"outputs: {one.source!r} is named twice; say once how it is smoothed")
        columns = _columns(path, given, one.source)
        values = np.stack([read_numbers(path, given, name).astype(np.float64) for name in columns], axis=1)
        unit = one.time_unit if stretches.is_seconds else 1.0
        for number, rows in enumerate(videos):
            known = rows[np.isfinite(values[rows]).all(axis=1)]
            smoothed |= {number} if len(known) else set()
            places = stretches.places[known] / unit
            values[known] = smooth_frames(values[known], places, sigma=one.sigma, delta=one.delta)
        for number, name in enumerate(columns):
            field = given.schema.field(name)
            # a mean of decisions 0 and 1 is no whole number
            field = field.with_type(pa.float64()) if pa.types.is_integer(field.type) else field
            # what was empty is empty again
            made = pa.array(values[:, number], mask=given[name].is_null().to_numpy()).cast(field.type)
            given = given.set_column(given.column_names.index(name), field, made)
    with replacing(out) as file:
        pq.write_table(_noted(path, given, chosen), file)
    return SmoothedTable(len(smoothed), len(given))


def _read(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        # not read_table, which takes `video=1` in the name of a folder for a column
        with pq.ParquetFile(path) as file:
            return file.read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: is no whole Parquet file; give a table of frames, undamaged") from error


def _find(path: Path, table: Any) -> _Stretches:
    names = tuple(table.column_names)
    base = base_of(names)
    if names[: len(base)] == base and "video" not in names:
        if base == BASE_COLUMNS:
            # rows without a face have no scores, and no neighbors
            faces = np.nan_to_num(read_numbers(path, table, "track").astype(np.float64), nan=-1.0)
            return _Stretches((faces,), read_numbers(path, table, "pts"), is_seconds=True)
        videos, numbers = _pictures(path, read_texts(path, table, "file"))
        found = _Stretches((videos,), numbers, is_seconds=False)
    else:
        for name in ("video", "frame"):
            if name not in names:
                raise InputError(f"{path}: no column {name!r}; give a row per frame, with its video and number")
        found = _Stretches(
            tuple(read_texts(path, table, name) for name in NAMES), read_frame_numbers(path, table), is_seconds=False
        )
    for rows in found:
        places = found.places[rows]
        if (twice := np.flatnonzero(places[1:] == places[:-1])).size:
            where = "/".join(filter(None, (str(column[rows[0]]) for column in found.names)))
            raise InputError(f"{path}: {where}, frame {places[twice[0]]} is there twice; keep one row")
    return found


def _pictures(path: Path, files: NDArray[np.str_]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    found = []
    for name in files.tolist():
        if (one := frame_of(name)) is None:
            hint = "analyze a folder that holds a folder of numbered pictures for each video"
            raise InputError(f"{path}: {name!r} is no picture VIDEO/NUMBER.jpg; {hint}")
        found.append(one)
    return np.array([video for video, _ in found], np.str_), np.array([frame for _, frame in found], np.int64)


def _columns(path: Path, table: Any, output: str) -> list[str]:
    scores = [name for name in table.column_names if "." in name and not name.startswith(f"{TRUTH}.")]
    if not (found := [name for name in scores if name.rpartition(".")[0] == output]):
        known = list(dict.fromkeys(name.rpartition(".")[0] for name in scores))
        raise InputError(f"{path}: no output {output!r}; {did_you_mean(output, known, noun='outputs')}")
    return found


def _noted(path: Path, table: Any, chosen: list[SmoothConfig]) -> Any:
    """The table with a note of what was done, where it says what made it."""
    metadata = dict(table.schema.metadata or {})
    if METADATA_KEY in metadata:
        info = RunInfo.from_data(json.loads(metadata[METADATA_KEY]), str(path))
        notes = [f"{one.source}: smoothed over whole tracks, sigma {one.sigma:g}, delta {one.delta}" for one in chosen]
        data = replace(info, notes=(*info.notes, *notes)).to_data()
        metadata[METADATA_KEY] = json.dumps(data, ensure_ascii=False).encode()
    return table.replace_schema_metadata(metadata)
