"""What a table holds: a row per processed frame and face, and a row per event. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from affectkit.errors import InputError
from affectkit.records import Event, EventKind

Status = Literal["ok", "no_face", "low_confidence", "skipped"]
EventStatus = Literal["ok", "rejected"]
ApexSource = Literal["annotated", "estimated", "middle", "missing"]
Cell = int | float | str | None
# One line of a table by column; what has no value is None or left out.
Cells = Mapping[str, Cell]

_INTEGERS = frozenset({"frame", "track", "onset_frame", "apex_frame", "offset_frame"})
_TEXTS = frozenset({"file", "status", "kind", "label", "apex_source", "reason"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One face in one frame, or one frame without a face.

    Attributes:
        frame: position in the file, from 0.
        pts: seconds of container time.
        track: number of the face, the same in every frame that it is followed to; None without a face.
        status: `ok`; `no_face` where none was found; `low_confidence` where the detector doubts it; `skipped` where
            the frame could not be decoded. Fields below that have no value are None.
        left, top, width, height: box of the face, pixels.
        confidence: the detector's, in [0, 1].
        predictions: decoded values by `output.target`.
        file: in a table of many pictures, the picture's path below their folder; None elsewhere.
        reason: there, why a picture was skipped; None otherwise.
    """

    frame: int
    pts: float
    track: int | None
    status: Status
    left: float | None = None
    top: float | None = None
    width: float | None = None
    height: float | None = None
    confidence: float | None = None
    predictions: Mapping[str, float] = field(default_factory=dict)
    file: str | None = None
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """All columns of the row by name, as a data frame takes them."""
        columns = BASE_COLUMNS if self.file is None else PICTURE_COLUMNS
        return {name: getattr(self, name) for name in columns} | dict(self.predictions)

    @classmethod
    def of(cls, cells: Cells) -> Row:
        """The row of one line of a table.

        Raises:
            ValueError: a required cell is empty, or the status is none of those above.
        """
        base, required = (PICTURE_COLUMNS, ("file",)) if "file" in cells else (BASE_COLUMNS, ())
        return cls(**_fields(cells, base, (*required, "frame", "pts", "status"), {"status": Status}))


@dataclass(frozen=True, kw_only=True)
class EventRow:
    """One event of a face. Seconds are container time, frames are positions in the file.

    Attributes:
        track: number of the face; None where there is one face only.
        kind: what it is, as far as the spotter says.
        label: the most probable class, or the spotter's own label; None where there is none.
        onset, apex, offset: seconds; apex is None where it is not known.
        onset_frame, apex_frame, offset_frame: the same as frame numbers; None where unknown.
        confidence: the spotter's, in [0, 1]; None where it gives none.
        apex_source: `annotated`, `estimated`, `middle` or `missing`.
        status: `ok`, or `rejected` where the event could not be scored.
        reason: why it was rejected; None otherwise.
        predictions: decoded values by `output.target`.
    """

    track: int | None = None
    kind: EventKind
    label: str | None = None
    onset: float
    apex: float | None = None
    offset: float
    onset_frame: int | None = None
    apex_frame: int | None = None
    offset_frame: int | None = None
    confidence: float | None = None
    apex_source: ApexSource = "missing"
    status: EventStatus = "ok"
    reason: str | None = None
    predictions: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """All columns of the event by name, as a data frame takes them."""
        return {name: getattr(self, name) for name in EVENT_COLUMNS} | dict(self.predictions)

    def with_predictions(self, predictions: Mapping[str, float], label: str | None = None) -> EventRow:
        """The same event with predictions, and with `label` where one is given."""
        return replace(self, predictions=predictions, label=self.label if label is None else label)

    @classmethod
    def of(cls, cells: Cells) -> EventRow:
        """The event of one line of a table.

        Raises:
            ValueError: a required cell is empty, or a word is none of those that its column takes.
        """
        words = {"kind": EventKind, "apex_source": ApexSource, "status": EventStatus}
        return cls(**_fields(cells, EVENT_COLUMNS, ("kind", "onset", "offset", "apex_source", "status"), words))

    @classmethod
    def of_event(
        cls,
        event: Event,
        *,
        predictions: Mapping[str, float] | None = None,
        status: EventStatus = "ok",
        reason: str | None = None,
    ) -> EventRow:
        """What a spotter or coder gave, as a row."""
        values = {item.name: getattr(event, item.name) for item in fields(event)}
        return cls(**values, predictions=predictions or {}, status=status, reason=reason)


BASE_COLUMNS = tuple(item.name for item in fields(Row))[:-3]
# Of a table of many pictures, where `frame` is the picture's number and `pts` is 0.
PICTURE_COLUMNS = ("file", *BASE_COLUMNS, "reason")
EVENT_COLUMNS = tuple(item.name for item in fields(EventRow))[:-1]


def column_type(name: str) -> type[int] | type[float] | type[str]:
    """What makes a value of the column from text: `int`, `str`, or `float` for all others, predictions among them."""
    return int if name in _INTEGERS else str if name in _TEXTS else float


def base_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Those columns of a table of rows that hold no predictions: of a video, or of many pictures."""
    return PICTURE_COLUMNS if columns[:1] == PICTURE_COLUMNS[:1] else BASE_COLUMNS


def check_columns(columns: tuple[str, ...], base: tuple[str, ...]) -> None:
    """Refuse columns that do not begin with `base`, or have a name twice.

    Raises:
        InputError: they are such.
    """
    if columns[: len(base)] != base:
        raise InputError(f"columns: do not begin with {', '.join(base)}; put the predictions after them")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise InputError(f"columns: {twice!r} twice; give every output and target a name of its own")


def _fields(cells: Cells, base: tuple[str, ...], required: tuple[str, ...], words: Mapping[str, Any]) -> dict[str, Any]:
    for name in required:
        if cells.get(name) is None:
            raise ValueError(f"no {name}")
    for name, kind in words.items():
        if cells.get(name) not in get_args(kind):
            raise ValueError(f"{name} {cells[name]!r}")
    predictions = {name: value for name, value in cells.items() if name not in base and value is not None}
    return {name: cells.get(name) for name in base} | {"predictions": predictions}
