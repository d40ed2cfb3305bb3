"""The progress file of an unfinished table: which parts there are, how much of them counts, and where to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from affectkit.errors import InputError
from affectkit.results.info import RunInfo
from affectkit.results.places import PROGRESS_FILE, replacing


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A moment from which a run can go on: lines that were written until then, and the state of whoever wrote them."""

    rows: int = 0
    events: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What the progress file says.

    Attributes:
        info: of the run.
        columns, event_columns: of the two tables.
        has_events: whether the table of events is wanted though it may be empty.
        part_rows: lines of every part but the last.
        rows, events: lines that can be read: whole, and on the disk. A part may hold more, which do not count yet.
        is_done: whether everything was written, and only joining the parts is left.
        checkpoint: the last one.
    """

    info: RunInfo
    columns: tuple[str, ...]
    event_columns: tuple[str, ...]
    has_events: bool
    part_rows: int
    rows: int = 0
    events: int = 0
    is_done: bool = False
    checkpoint: Checkpoint = Checkpoint()

    def parts(self, folder: Path, name: str, ending: str) -> list[tuple[Path, int]]:
        """Parts of the table `rows` or `events`, in order, with the lines of each that count."""
        total = self.rows if name == "rows" else self.events
        return [
            (part_path(folder, name, number, ending), min(self.part_rows, total - first))
            for number, first in enumerate(range(0, total, self.part_rows))
        ]

    def write(self, folder: Path) -> None:
        """Replace the progress file in `folder` at once.

        Raises:
            OSError: it can't be written; the one before stays.
        """
        data = asdict(self) | {"info": self.info.to_data()}
        with replacing(folder / PROGRESS_FILE) as file:
            file.write(json.dumps(data, ensure_ascii=False).encode())

    @classmethod
    def read(cls, folder: Path) -> Progress:
        """What the progress file in `folder` says.

        Raises:
            InputError: it is not there, or not what was written.
        """
        path = folder / PROGRESS_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file; the folder holds no unfinished table") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: can't be read ({error}); remove the folder and analyze again") from error
        info = RunInfo.from_data(data.get("info") if isinstance(data, dict) else None, str(path))
        try:
            values = {item.name: data[item.name] for item in fields(cls)}
            given = {"info": info, "checkpoint": Checkpoint(**values["checkpoint"])}
            names = {name: tuple(values[name]) for name in ("columns", "event_columns")}
            return cls(**values | given | names)
        except (TypeError, KeyError) as error:
            raise InputError(f"{path}: has no {error}; remove the folder and analyze again") from None


def part_path(folder: Path, name: str, number: int, ending: str) -> Path:
    """`rows-00003.parquet` in the folder."""
    return folder / f"{name}-{number:05d}{ending}"
