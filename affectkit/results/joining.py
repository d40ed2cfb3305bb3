"""From parts to tables: joined beside the parts, then renamed into place, the table of rows last."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

from affectkit.results.info import RunInfo
from affectkit.results.places import events_of, info_of, sync_folder
from affectkit.results.progress import Progress
from affectkit.results.tables import format_of


def join_into(out: Path, folder: Path, progress: Progress) -> None:
    """Join the parts in `folder` into `out` and the files beside it, in constant memory. The parts stay.

    Raises:
        InputError: a part is damaged.
        OSError: a file can't be written or renamed; the parts are as before.
    """
    info = dataclasses.replace(progress.info, complete=progress.is_done)
    renames = {}
    if progress.events or progress.has_events:
        renames[events_of(out)] = _join(folder, "events", progress.event_columns, out.suffix, progress, info)
    if out.suffix == ".csv":
        renames[info_of(out)] = _write_info(folder / "joined.info.json", info)
    renames[out] = _join(folder, "rows", progress.columns, out.suffix, progress, info)
    # An old table goes first: until the new one has its name the parts are what is read, with the events in them.
    for old in (out, events_of(out), info_of(out)):
        old.unlink(missing_ok=True)
    for path, joined in renames.items():
        os.replace(joined, path)
    sync_folder(out.parent)


def _join(folder: Path, name: str, columns: tuple[str, ...], ending: str, progress: Progress, info: RunInfo) -> Path:
    path = folder / f"joined-{name}{ending}"
    with path.open("wb") as file:
        format_of(path).join(progress.parts(folder, name, ending), columns, info, file)
        file.flush()
        os.fsync(file.fileno())
    return path


def _write_info(path: Path, info: RunInfo) -> Path:
    with path.open("w", encoding="utf-8") as file:
        json.dump(info.to_data(), file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    return path
