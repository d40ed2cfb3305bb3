"""Tables of events as files: anyone's, those that `analyze` writes, and the challenges'.

The tables of events that `analyze` writes are read as they are, and so are the challenges' (MEGC 2023), with the header
`vid,onset,offset,type` and the types `me` and `mae`.
"""

from __future__ import annotations

from pathlib import Path

from affectkit.errors import InputError
from affectkit.metrics.spotting import Unit
from affectkit.protocols.events import Events
from affectkit.protocols.text_tables import ENDINGS, read_columns, write_columns
from affectkit.results.places import check_ending
from affectkit.results.tables import format_of

MEGC_COLUMNS = ("vid", "onset", "offset", "type")
MEGC_TYPES = {"me": "micro-expression", "mae": "macro-expression"}
_MOMENTS = ("onset", "apex", "offset")


def read_events(path: str | Path, *, unit: Unit = "frames") -> Events:
    """A table, or a folder in which `analyze` wrote some: all of its `*.events.csv` and `*.events.parquet`.

    Tables that `analyze` wrote have frames and seconds; `unit` says which to take. Each is of one video, which is
    called as the analyzed file without its ending, or else as the table; in a folder with the names of the folders
    between, as `s15/0101`. Events of all faces of a video are put together.

    Raises:
        InputError: it can't be read, isn't what `Events` accepts, or the folder has no such tables or unlike ones.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, unit)
    check_ending(path, ENDINGS, "give a table (.parquet, .csv), or a folder that analyze wrote")
    return Events(_read(path, unit, ""), str(path), unit)


def write_events(events: Events, path: str | Path, *, overwrite: bool = False) -> None:
    """A table that `read_events` reads.

    Raises:
        InputError: the file is there already or can't be written.
    """
    path = Path(path)
    check_ending(path, ENDINGS, "write a table (.parquet, .csv)")
    write_columns(events.columns, path, overwrite=overwrite)


def write_submission(events: Events, path: str | Path, *, overwrite: bool = False) -> None:
    """Predictions as the challenges of 2023 to 2025 take them: `vid,onset,offset,type`, frames, types `me` and `mae`.

    Such a file can't say that a video has no event: these lines are not written.

    Raises:
        InputError: the file is there already or can't be written; or it can't hold the events: seconds, several seeds,
            or another kind than micro- and macro-expressions.
    """
    path = Path(path)
    check_ending(path, (".csv",), "write a .csv file")
    if events.unit != "frames":
        raise InputError(f"{events.source}: onsets in seconds, but the challenge counts frames; read it with those")
    if (seeds := len(set(events.seeds))) > 1:
        raise InputError(f"{events.source}: {seeds} seeds; a submission holds one")
    types = {kind: name for name, kind in MEGC_TYPES.items()}
    rows: list[tuple[str, ...]] = []
    for video, interval, kind in zip(events.videos, events.intervals, events.kinds, strict=True):
        if interval is None:
            continue
        if kind not in types:
            raise InputError(
                f"{events.source}: kind {kind!r}; a submission holds {' and '.join(types)}, leave others out"
            )
        rows.append((video, f"{interval[0]:.0f}", f"{interval[1]:.0f}", types[kind]))
    columns = {name: tuple(row[at] for row in rows) for at, name in enumerate(MEGC_COLUMNS)}
    write_columns(columns, path, overwrite=overwrite)


def _read_folder(folder: Path, unit: Unit) -> Events:
    paths = sorted(path for ending in ENDINGS for path in folder.rglob(f"*.events{ending}"))
    if not paths:
        raise InputError(
            f"{folder}: no tables *.events.csv or *.events.parquet in it; give a folder that analyze wrote"
        )
    tables = {path: _read(path, unit, _prefix(path, folder)) for path in paths}
    names = tuple(tables[paths[0]])
    owners: dict[str, Path] = {}
    for path, columns in tables.items():
        if set(columns) != set(names):
            raise InputError(f"{path}: other columns than {paths[0]}; give tables of one pipeline")
        for video in dict.fromkeys(columns["video"]):
            if owners.setdefault(video, path) != path:
                raise InputError(f"{path}: video {video!r} is in {owners[video]} too; keep one of them")
    merged = {name: tuple(cell for columns in tables.values() for cell in columns[name]) for name in names}
    return Events(merged, str(folder), unit)


def _read(path: Path, unit: Unit, prefix: str) -> dict[str, tuple[str, ...]]:
    columns = read_columns(path, "events")
    if set(columns) == set(MEGC_COLUMNS):
        kinds = tuple(MEGC_TYPES.get(name, name) for name in columns["type"])
        return {"video": columns["vid"], "onset": columns["onset"], "offset": columns["offset"], "kind": kinds}
    if "onset_frame" not in columns:
        return columns
    named = {} if "video" in columns else {"video": (prefix + _video_of(path),) * len(columns["onset_frame"])}
    return named | _of_analyze(path, columns, unit)


def _of_analyze(path: Path, columns: dict[str, tuple[str, ...]], unit: Unit) -> dict[str, tuple[str, ...]]:
    """Onset, apex and offset are what `unit` says, and not there twice."""
    frames = {moment: columns.pop(f"{moment}_frame") for moment in _MOMENTS if f"{moment}_frame" in columns}
    if unit == "seconds":
        return columns
    for moment in ("onset", "offset"):
        if "" in frames.get(moment, ("",)):
            raise InputError(f"{path}: an event without {moment}_frame; give --unit seconds (in Python unit='seconds')")
    return columns | frames


def _video_of(path: Path) -> str:
    info = format_of(path).info(path.with_name(path.name.replace(".events.csv", ".csv")))
    if info is not None and info.source:
        return Path(info.source).stem
    return path.stem.removesuffix(".events")


def _prefix(path: Path, folder: Path) -> str:
    return "".join(f"{part}/" for part in path.relative_to(folder).parts[:-1])
