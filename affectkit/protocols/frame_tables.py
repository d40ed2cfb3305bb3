"""Tables of predictions of frames, anyone's and those that `analyze` writes, read piece by piece.

A table of frames has columns `video` and `frame`, and one per target: `va.valence`, `expr.neutral`, `au.AU1`. Its
frames are the numbers of pictures. Columns `truth.` are no predictions. Rows are in any order, and take the least
memory where those of a video are together.

A table that `analyze` wrote is of one video, which is called as the analyzed file without its ending; its frames count
from 0 and pictures from 1, so 1 is added. Or it is of many pictures, whose names say video and frame: `01/00001.jpg`.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence as Items
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.errors import InputError, listed
from affectkit.protocols.abaw_tracks import Part
from affectkit.protocols.frame_store import FrameStore
from affectkit.protocols.picture_names import frame_of
from affectkit.results.places import PROGRESS_FILE, TABLE_ENDINGS, check_ending
from affectkit.results.rows import BASE_COLUMNS, base_of
from affectkit.results.tables import format_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KEYS = ("video", "frame")
_PICTURE_KEYS = ("file", "frame")
# Labels that stand beside the predictions of an evaluation.
_TRUTH = "truth."
# What `analyze_many` writes beside its tables, a line per video.
_SUMMARY = "summary.csv"
# Means and softmaxes of 32 bits may miss a bound by a little.
_SLACK = 1e-6
# Rows that are read at once.
_BATCH = 16_384


@contextmanager
def stored_predictions(path: str | Path, parts: Items[Part], use: Items[str] = ()) -> Iterator[FrameStore]:
    """Predictions for some parts of an answer, side by side in their order, as long as the block lasts.

    A frame without a value of each is as if it were not there: nobody predicted it.

    Arguments:
        path: a table (`.parquet`, `.csv`), or a folder of them.
        parts: whose targets to take, from the columns of the output that scores all of them.
        use: names of outputs that count where several score the same, such as a head and a map that smooths it.

    Raises:
        InputError: it can't be read, or has not the columns; it is not said which of several outputs counts, or one is
            named that scores none of the parts; a value of valence or arousal is outside [-1, 1], or a probability
            outside [0, 1]; or a picture's name says no video and frame.
    """
    path = Path(path)
    with tempfile.TemporaryFile() as file:
        store = FrameStore(sum(len(part.targets) for part in parts), str(path), file)
        for table in find_tables(path):
            columns = format_of(table).columns(table)
            outputs = [_find(columns, part, use, table) for part in parts]
            if unknown := [name for name in use if name not in outputs]:
                hint = (
                    f"name one for each of {listed(part.output for part in parts)} among {listed(_prefixes(columns))}"
                )
                raise InputError(f"{table}: {unknown[0]!r} scores nothing that is asked for; {hint}")
            pairs = zip(outputs, parts, strict=True)
            wanted = [f"{output}.{target}" for output, part in pairs for target in part.targets]
            for videos, frames, values in _batches(table, columns, wanted):
                _check_values(table, parts, videos, frames, values)
                store.add(videos, frames, values)
        yield store


def find_tables(path: Path) -> list[Path]:
    """The table at `path`, or all in a folder, sorted; those of events, and the summary of a run, are none of frames.

    Raises:
        InputError: there is none, or one is not finished.
    """
    if not path.is_dir():
        check_ending(path, TABLE_ENDINGS, "give a table of frames (.parquet, .csv), or a folder of them")
        if not path.is_file():
            raise InputError(f"{path}: no such file; check the path")
        return [path]
    # frames that an interrupted run has not reached would pass for such that nobody predicted
    for progress in sorted(path.rglob(f"*.parts/{PROGRESS_FILE}")):
        hint = "go on with --resume (in Python resume=True), or remove it"
        raise InputError(f"{progress.parent}: a table that is not finished; {hint}")
    found = (one for ending in TABLE_ENDINGS for one in path.rglob(f"*{ending}") if one.is_file())
    tables = sorted(one for one in found if not (one.stem.endswith(".events") or one.name == _SUMMARY))
    if not tables:
        raise InputError(
            f"{path}: no tables *.parquet or *.csv in it; give one of frames, or a folder that analyze wrote"
        )
    return tables


def _find(columns: tuple[str, ...], part: Part, use: Items[str], table: Path) -> str:
    """The one output that scores all targets."""
    full = [one for one in _prefixes(columns) if all(f"{one}.{target}" in columns for target in part.targets)]
    named = [one for one in full if one in use]
    if len(named or full) > 1:
        hint = f"say which counts, such as --use {full[-1]} (in Python use={full[-1:]!r})"
        raise InputError(f"{table}: outputs {listed(named or full)} score the same; {hint}")
    if not full:
        missing = [name for target in part.targets if (name := f"{part.output}.{target}") not in columns]
        raise InputError(f"{table}: no columns {listed(missing, 4)}; predict them, or rename yours")
    return (named or full)[0]


def _prefixes(columns: tuple[str, ...]) -> list[str]:
    scores = (name for name in columns if "." in name and not name.startswith(_TRUTH))
    return list(dict.fromkeys(name.rpartition(".")[0] for name in scores))


Batch = tuple[list[str], "NDArray[np.int64]", "NDArray[np.float64]"]


def _batches(table: Path, columns: tuple[str, ...], wanted: list[str]) -> Iterator[Batch]:
    keys: tuple[str, ...] = _KEYS
    video = ""
    base = base_of(columns)
    if columns[: len(base)] == base and "video" not in columns:
        keys, video = (("frame",), _video_of(table)) if base == BASE_COLUMNS else (_PICTURE_KEYS, "")
    for name in keys:
        if name not in columns:
            raise InputError(f"{table}: no column {name!r}; add it, or give a table that analyze wrote")
    reader = _read_parquet if table.suffix == ".parquet" else _read_csv
    for names, frames, values in reader(table, columns, keys, wanted):
        if video:
            yield [video] * len(frames), frames + 1, values
        elif keys == _PICTURE_KEYS:
            yield (*_frames_of(names, table), values)
        else:
            yield names, frames, values


def _frames_of(pictures: list[str], table: Path) -> tuple[list[str], NDArray[np.int64]]:
    """Videos and frames that pictures show; the table's own numbers count pictures, not frames."""
    import numpy as np

    videos, frames = [], np.empty(len(pictures), dtype=np.int64)
    for row, picture in enumerate(pictures):
        found = frame_of(picture)
        if found is None:
            hint = "analyze a folder that holds a folder of numbered pictures for each video"
            raise InputError(f"{table}: {picture!r} is no picture VIDEO/NUMBER.jpg; {hint}")
        videos.append(found[0])
        frames[row] = found[1]
    return videos, frames


def _video_of(table: Path) -> str:
    info = format_of(table).info(table)
    return Path(info.source).stem if info is not None and info.source else table.stem


def _read_parquet(table: Path, columns: tuple[str, ...], keys: tuple[str, ...], wanted: list[str]) -> Iterator[Batch]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(_BATCH, columns=[*keys, *wanted]):
            try:
                frames = batch.column("frame").cast(pa.int64())
                cells = [batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in wanted]
            except pa.ArrowException as error:
                raise InputError(f"{table}: {error}; write numbers") from error
            if any(batch.column(name).null_count for name in keys):
                raise InputError(f"{table}: a row without a {' or a '.join(keys)}; fill it, or leave the row out")
            names = batch.column(keys[0]).to_pylist() if len(keys) > 1 else []
            yield names, frames.to_numpy(), np.stack(cells, axis=1)


def _read_csv(table: Path, columns: tuple[str, ...], keys: tuple[str, ...], wanted: list[str]) -> Iterator[Batch]:
    import numpy as np

    at = {name: columns.index(name) for name in (*keys, *wanted)}
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        while batch := list(islice(_numbered(rows, table), _BATCH)):
            names: list[str] = []
            frames: list[int] = []
            values: list[list[float]] = []
            for line, row in batch:
                try:
                    frames.append(int(row[at["frame"]]))
                    values.append([float(cell) if (cell := row[at[name]]) else np.nan for name in wanted])
                except (ValueError, IndexError) as error:
                    raise InputError(f"{table}, line {line}: is no row of numbers ({error}); mend it") from error
                if len(keys) > 1:
                    names.append(row[at[keys[0]]])
            yield names, np.array(frames, dtype=np.int64), np.array(values, dtype=np.float64)


def _numbered(rows: Any, table: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in rows:
            yield rows.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{table}, line {rows.line_num + 1}: can't be read ({error}); mend it") from error


def _check_values(
    table: Path, parts: Iterable[Part], videos: list[str], frames: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    import numpy as np

    start = 0
    for part in parts:
        own = values[:, start : start + len(part.targets)]
        start += len(part.targets)
        low = -1.0 if part.kind == "values" else 0.0
        rows, columns = np.nonzero((own < low - _SLACK) | (own > 1 + _SLACK))
        if len(rows):
            name, value = part.targets[columns[0]], own[rows[0], columns[0]]
            place = f"{table}: video {videos[rows[0]]!r}, frame {frames[rows[0]]}"
            what = "values from -1" if part.kind == "values" else "probabilities from 0"
            raise InputError(f"{place}: {name} is {value:g}; give {what} to 1")
