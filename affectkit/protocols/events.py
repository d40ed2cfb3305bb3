"""Events of whoever, true or predicted: a line per event, with its video, onset and offset.

As a table it has the columns `video`, `onset` and `offset`, and as far as they are known `subject`, `dataset`, `apex`,
`kind`, `label` and `seed`; other columns of the truth can be scored by. A line with neither onset nor offset says that
its video has no event.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from affectkit.errors import InputError, did_you_mean
from affectkit.metrics.spotting import Interval, Unit
from affectkit.protocols.text_tables import Columns, check_lengths, joined
from affectkit.records import EventKind

REQUIRED = ("video", "onset", "offset")


@dataclass(frozen=True)
class Events:
    """Columns of equal length, by name; every cell is text, and empty where there is no value.

    Attributes:
        columns: at least `video`, `onset` and `offset`.
        source: where they are from, for messages.
        unit: of onset, apex and offset: `frames`, whole numbers, or `seconds`.

    Raises:
        InputError: a column is missing or has another length; a cell that tells videos, subjects or runs apart is
            empty; a video has several subjects; an onset, offset or apex is none; or a kind is unknown.
    """

    columns: Columns
    source: str = "events"
    unit: Unit = "frames"

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if name not in self.columns:
                hint = did_you_mean(name, list(self.columns), noun="columns")
                raise InputError(f"{self.source}: no column {name!r}; {hint}")
        check_lengths(self.columns, len(self), "events", self.source)
        for name in ("video", "subject", "dataset", "seed"):
            if "" in self.columns.get(name, ()):
                raise InputError(f"{self.source}: an empty cell of {name!r}; fill it, or leave the event out")
        # what can't be read is refused here, and not where it is first looked at
        for interval, kind, video in zip(self.intervals, self.kinds, self.videos, strict=True):
            if "kind" in self.columns and interval is not None and kind not in get_args(EventKind):
                hint = did_you_mean(kind, list(get_args(EventKind)), noun="kinds")
                raise InputError(f"{self.source}: kind {kind!r} of an event in {video!r}; {hint}")
        _ = self.apexes
        if "subject" in self.columns:
            self.by_video("subject")

    def __len__(self) -> int:
        return len(self.columns["video"])

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos."""
        return self.columns["video"]

    @property
    def subjects(self) -> tuple[str, ...]:
        """With the dataset before them, where there is one: `01` is somebody else in each."""
        return joined(self.columns, "dataset", "subject")

    @property
    def seeds(self) -> tuple[str, ...]:
        """Which run each is of."""
        return self._cells("seed")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each is; empty where nobody says it."""
        return self._cells("kind")

    @property
    def labels(self) -> tuple[str, ...]:
        """The class of each; empty where nobody says it."""
        return self._cells("label")

    @property
    def intervals(self) -> tuple[Interval | None, ...]:
        """Onset and offset of each; None where a line says that its video has no event."""
        onsets, offsets = self._numbers("onset"), self._numbers("offset")
        return tuple(map(self._interval, onsets, offsets, self.videos))

    @property
    def apexes(self) -> tuple[float | None, ...]:
        """Apex of each; None where it is not known."""
        return self._numbers("apex") if "apex" in self.columns else (None,) * len(self)

    def by_video(self, name: str) -> Mapping[str, str]:
        """What a column says of each video, in the order in which they come first; `subject` is with the dataset.

        Raises:
            InputError: there is no such column, or it says two things of one video.
        """
        if name not in self.columns:
            hint = did_you_mean(name, list(self.columns), noun="columns")
            raise InputError(f"{self.source}: no column {name!r}; {hint}")
        found: dict[str, str] = {}
        cells = self.subjects if name == "subject" else self.columns[name]
        for video, cell in zip(self.videos, cells, strict=True):
            if found.setdefault(video, cell) != cell:
                both = f"{found[video]!r} and {cell!r}"
                raise InputError(f"{self.source}: {name} of video {video!r} is {both}; write one, or name two videos")
        return found

    def _cells(self, name: str) -> tuple[str, ...]:
        return self.columns.get(name, ("",) * len(self))

    def _numbers(self, name: str) -> tuple[float | None, ...]:
        return tuple(
            self._number(name, cell, video) if cell else None
            for cell, video in zip(self.columns[name], self.videos, strict=True)
        )

    def _number(self, name: str, cell: str, video: str) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InputError(f"{self.source}: {name} {cell!r} of an event in {video!r} is no number; mend it")
        # annotators write -1 for what they don't know
        if self.unit == "frames" and (number != int(number) or number < 0):
            hint = "give whole numbers from 0 on, or --unit seconds (in Python unit='seconds')"
            raise InputError(f"{self.source}: {name} {cell!r} of an event in {video!r} is no frame number; {hint}")
        return number

    def _interval(self, onset: float | None, offset: float | None, video: str) -> Interval | None:
        if onset is None and offset is None:
            return None
        if onset is None or offset is None:
            missing = "onset" if onset is None else "offset"
            hint = "fill it, or leave both empty if the video has no event"
            raise InputError(f"{self.source}: no {missing} of an event in {video!r}; {hint}")
        if offset < onset:
            raise InputError(
                f"{self.source}: offset {offset:g} is before onset {onset:g} in {video!r}; swap them, or leave it out"
            )
        return onset, offset
