"""What a timeline shows of a table: per track the values over time, and the stretches where there is none."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError, did_you_mean
from affectkit.results.rows import EventRow

if TYPE_CHECKING:
    from affectkit.results.reading import Results

CONFIDENCE = "confidence"
# More points than a plot has pixels are thinned.
MAX_POINTS = 4000
Span = tuple[float, float]


@dataclass
class Track:
    """One face over time.

    Attributes:
        number: of the track; None where the table has no face at all.
        times: seconds of its rows.
        steps: which of the processed frames each of them is.
        values: by column, as long as `times`; NaN where there is none.
        gaps: stretches without it, seconds.
        events: those of it.
    """

    number: int | None
    times: array[float] = field(default_factory=lambda: array("d"))
    steps: array[int] = field(default_factory=lambda: array("q"))
    values: dict[str, array[float]] = field(default_factory=dict)
    gaps: list[Span] = field(default_factory=list)
    events: tuple[EventRow, ...] = ()

    def line(self, column: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times and values of a column, broken by a NaN at every gap, and thinned to what can be seen."""
        times, values = np.array(self.times), np.array(self.values[column])
        breaks = np.flatnonzero(np.diff(np.array(self.steps)) > 1) + 1
        return thinned(np.insert(times, breaks, times[breaks - 1]), np.insert(values, breaks, np.nan))

    def grid(self, columns: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Columns as a picture: edges of its cells `(n + 1,)` in seconds, and values `(K, n)`; NaN in every gap.

        Each cell has the highest value of the rows in it, so that a brief peak stays in sight.
        """
        times, steps = np.array(self.times), np.array(self.steps)
        values = np.array([self.values[name] for name in columns])
        frame = float(np.median(np.diff(times)[np.diff(steps) == 1])) if (np.diff(steps) == 1).any() else 0.04
        breaks = np.flatnonzero(np.diff(steps) > 1) + 1
        stops = np.minimum(times[breaks - 1] + frame, times[breaks])
        edges = np.append(np.insert(times, breaks, stops), times[-1] + frame)
        values = np.insert(values, breaks, np.nan, axis=1)
        firsts = np.unique(np.linspace(0, len(edges) - 1, MAX_POINTS, endpoint=False, dtype=np.int64))
        # unlike max, fmax passes over what is NaN
        return np.append(edges[firsts], edges[-1]), np.fmax.reduceat(values, firsts, axis=1)


@dataclass(frozen=True)
class Timeline:
    """What is drawn.

    Attributes:
        tracks: in the order of their numbers.
        outputs: columns by output, in the order of the table; detection confidence where there are no predictions.
        span: seconds of the first and last frame.
        skipped: stretches of frames that could not be decoded.
        left_out: how many tracks are not among `tracks`.
    """

    tracks: list[Track]
    outputs: Mapping[str, tuple[str, ...]]
    span: Span
    skipped: list[Span]
    left_out: int


def collect(results: Results, targets: Iterable[str] | None, track: int | None, max_tracks: int) -> Timeline:
    """Read a table once.

    Arguments:
        results: the table.
        targets: outputs or columns that are wanted; None for all.
        track: the one that is wanted; None for the `max_tracks` with the most rows.
        max_tracks: see there.

    Raises:
        InputError: the table is empty, or has not that track or target.
    """
    columns = choose_columns(results.targets, targets)
    outputs = by_output(columns) or {CONFIDENCE: (CONFIDENCE,)}
    tracks: dict[int, Track] = {}
    moments: array[float] = array("d")
    lost: list[int] = []
    last = None
    for row in results:
        if row.frame != last:
            moments.append(row.pts)
            last = row.frame
            if row.status == "skipped":
                lost.append(len(moments) - 1)
        if row.track is None or (track is not None and row.track != track):
            continue
        entry = tracks.setdefault(row.track, Track(row.track))
        entry.times.append(row.pts)
        entry.steps.append(len(moments) - 1)
        values = row.predictions if columns else {CONFIDENCE: row.confidence}
        for name in columns or (CONFIDENCE,):
            value = values.get(name)
            entry.values.setdefault(name, array("d")).append(np.nan if value is None else value)
    if not moments:
        raise InputError(f"{results.path or 'results'}: hold no rows; there is nothing to plot")
    if track is not None and track not in tracks:
        raise InputError(f"track: {track!r} has no row in the table; leave it out to see which there are")
    most = sorted(tracks.values(), key=lambda entry: -len(entry.times))[:max_tracks]
    shown = sorted(most, key=lambda entry: entry.number or 0) or [Track(None)]
    for entry in shown:
        entry.gaps = _gaps(entry, moments)
        entry.events = tuple(event for event in results.events if event.track in (None, entry.number))
    skipped = [(moments[max(step - 1, 0)], moments[min(step + 1, len(moments) - 1)]) for step in lost]
    return Timeline(shown, outputs, (moments[0], moments[-1]), merged(skipped), len(tracks) - len(most))


def choose_columns(columns: tuple[str, ...], wanted: Iterable[str] | None) -> tuple[str, ...]:
    """Of the prediction columns those that are `wanted`, by output or by column; all for None.

    Raises:
        InputError: one that is not there.
    """
    if wanted is None:
        return columns
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    known = [*by_output(columns), *columns]
    for name in names:
        if name not in known:
            raise InputError(f"targets: {name!r} is not in the table; {did_you_mean(name, known, noun='targets')}")
    return tuple(name for name in columns if name in names or name.partition(".")[0] in names)


def by_output(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Prediction columns by the output in front of their dot."""
    outputs: dict[str, tuple[str, ...]] = {}
    for name in columns:
        output = name.partition(".")[0]
        outputs[output] = (*outputs.get(output, ()), name)
    return outputs


def thinned(times: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and highest value of each of `MAX_POINTS` stretches, and every break: it looks the same."""
    if len(times) <= 2 * MAX_POINTS:
        return times, values
    chunks = np.array_split(np.arange(len(times)), MAX_POINTS)
    kept = set(np.flatnonzero(np.isnan(values)).tolist())
    for chunk in chunks:
        real = chunk[~np.isnan(values[chunk])]
        if len(real):
            kept |= {int(real[np.argmin(values[real])]), int(real[np.argmax(values[real])])}
    order = np.array(sorted(kept))
    return times[order], values[order]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch as one."""
    result: list[Span] = []
    for start, stop in spans:
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def _gaps(track: Track, moments: array[float]) -> list[Span]:
    """Stretches of processed frames without the face: from the last frame that has it to the next."""
    if not track.steps:
        return [(moments[0], moments[-1])]
    steps = np.array(track.steps)
    inner = np.flatnonzero(np.diff(steps) > 1)
    gaps = [(moments[steps[i]], moments[steps[i + 1]]) for i in inner]
    if steps[0] > 0:
        gaps.insert(0, (moments[0], moments[steps[0]]))
    if steps[-1] < len(moments) - 1:
        gaps.append((moments[steps[-1]], moments[-1]))
    return gaps
