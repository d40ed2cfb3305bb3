"""Several tracks of one video on one clock, by the numbers of frames or by nearest time. Nothing is interpolated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affectkit.errors import InputError, listed
from affectkit.tracks.track import FeatureTrack

Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]
Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Aligned:
    """Tracks on one clock.

    Attributes:
        tracks: by name, as given; with equal frames and times.
        filled: by name, at how many frames the features of another frame stand in.
    """

    tracks: dict[str, FeatureTrack]
    filled: dict[str, int]


def align_tracks(
    tracks: Mapping[str, FeatureTrack],
    *,
    frames: Iterable[int] | None = None,
    times: ArrayLike | None = None,
    tolerance: float = 0.02,
    missing: Literal["error", "nearest"] = "error",
) -> Aligned:
    """Features of the same frames from every track.

    With neither `frames` nor `times`, all tracks must have the same frames.

    Arguments:
        tracks: of one video, by name, such as that of the input that takes them.
        frames: numbers of the frames that are wanted, ascending. Without `times`, features are found by number.
        times: seconds that are wanted, not descending; features are found by nearest time, of two that are equally near
            the earlier. Without `frames`, the numbers are those of the first track's.
        tolerance: seconds from a wanted time within which features count as those of that time; and by number, within
            which the tracks have to agree when a frame is.
        missing: `error` where a track lacks a frame; `nearest` to take what it has nearest to it, and count that.

    Raises:
        InputError: tracks are of several videos or empty, what is wanted does not ascend, a track lacks it, or tracks
            differ in when a frame is.
    """
    video = _check(tracks)
    if missing not in ("error", "nearest"):
        raise InputError(f"missing: {missing!r} is not accepted; write 'error' or 'nearest'")
    if frames is None and times is None:
        _check_equal(tracks)
        frames = next(iter(tracks.values())).frames.tolist()
    wanted = None if frames is None else _asked_frames(frames, video)
    moments = None if times is None else _asked_times(times, video, wanted)
    rows: dict[str, Rows] = {}
    filled: dict[str, int] = {}
    for name, track in tracks.items():
        rows[name], lacking = _find(track, wanted, moments, tolerance)
        filled[name] = len(lacking)
        if lacking and missing == "error":
            what = "features of the frames" if moments is None else f"features within {tolerance} s of the seconds"
            fact = f"{name!r} of video {video!r} has no {what} {listed(lacking)}"
            raise InputError(f"{_place(name, track)}: {fact}; leave them out, or write missing='nearest'")
    if wanted is None:
        name = next(iter(tracks))
        wanted = _numbers(tracks[name].frames[rows[name]], video)
    if moments is None:
        moments = _moments(tracks, wanted)
        _check_times(tracks, rows, wanted, moments, tolerance)
    made = {
        name: replace(track, frames=wanted, times=moments, values=track.values[rows[name]])
        for name, track in tracks.items()
    }
    return Aligned(made, filled)


def _find(
    track: FeatureTrack, wanted: Numbers | None, moments: Seconds | None, tolerance: float
) -> tuple[Rows, list[float]]:
    """The row of a track for each wanted frame or time, and those among them that it lacks."""
    if moments is not None:
        rows = nearest_rows(track.times, moments)
        return rows, moments[np.abs(track.times[rows] - moments) > tolerance].tolist()
    assert wanted is not None
    rows = nearest_rows(track.frames, wanted)
    return rows, wanted[track.frames[rows] != wanted].tolist()


def nearest_rows(given: NDArray[np.generic], wanted: NDArray[np.generic]) -> Rows:
    """For each of `wanted` the place of what is nearest in `given`, which ascends; of two that are, the first."""
    known, asked = given.astype(np.float64), wanted.astype(np.float64)
    after = np.searchsorted(known, asked).clip(0, len(known) - 1)
    before = (after - 1).clip(0)
    # times may be equal: the first of them
    before = np.searchsorted(known, known[before])
    return np.where(asked - known[before] <= np.abs(known[after] - asked), before, after)


def nearest_rows_ref(given: NDArray[np.generic], wanted: NDArray[np.generic]) -> Rows:
    """The slow twin: every distance is looked at."""
    known = [float(one) for one in given]
    near = [min(range(len(known)), key=lambda row: abs(known[row] - float(one))) for one in wanted]
    return np.array(near, np.intp)


def _check(tracks: Mapping[str, FeatureTrack]) -> str:
    if not tracks:
        raise InputError("tracks: none; give at least one")
    name, first = next(iter(tracks.items()))
    for other, track in tracks.items():
        if track.video != first.video:
            fact = f"{other!r} is of video {track.video!r}, {name!r} of {first.video!r}"
            raise InputError(f"{_place(other, track)}: {fact}; align the tracks of one video")
        if not len(track):
            raise InputError(f"{_place(other, track)}: {other!r} of video {track.video!r} has no frame; leave it out")
    return first.video


def _check_equal(tracks: Mapping[str, FeatureTrack]) -> None:
    name, first = next(iter(tracks.items()))
    for other, track in tracks.items():
        lacks, more = np.setdiff1d(first.frames, track.frames), np.setdiff1d(track.frames, first.frames)
        if lacks.size or more.size:
            parts = [
                f"{verb} the frames {listed(at.tolist())}" for verb, at in (("lacks", lacks), ("has", more)) if at.size
            ]
            fact = f"{other!r} of video {track.video!r} {' and '.join(parts)}, unlike {name!r}"
            raise InputError(f"{_place(other, track)}: {fact}; say which are wanted by frames")


def _check_times(
    tracks: Mapping[str, FeatureTrack], rows: Mapping[str, Rows], wanted: Numbers, moments: Seconds, tolerance: float
) -> None:
    for name, track in tracks.items():
        apart = np.where(track.frames[rows[name]] == wanted, np.abs(track.times[rows[name]] - moments), 0.0)
        if (wrong := np.flatnonzero(apart > tolerance)).size:
            at = wrong[0]
            times = f"{track.times[rows[name]][at]:.4f} s, where the first track that has it says {moments[at]:.4f} s"
            fact = f"{name!r} of video {track.video!r} has frame {wanted[at]} at {times}"
            raise InputError(f"{_place(name, track)}: {fact}; read all at one rate, or say by times what is wanted")


def _asked_frames(frames: Iterable[int], video: str) -> Numbers:
    given = np.asarray(list(frames))
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise InputError(f"frames: {given.dtype} {given.shape} for video {video!r}; give whole numbers (T,)")
    if (np.diff(given.astype(np.int64)) <= 0).any():
        raise InputError(f"frames: of video {video!r} are not in order; give each frame once, in ascending order")
    return given.astype(np.int64)


def _asked_times(times: ArrayLike, video: str, wanted: Numbers | None) -> Seconds:
    given = np.asarray(times, np.float64)
    if given.ndim != 1 or not given.size or (wanted is not None and given.shape != wanted.shape):
        count = "(T,)" if wanted is None else f"one for each of {len(wanted)} frames"
        raise InputError(f"times: {given.shape} for video {video!r}; give {count}")
    if not (np.diff(given) >= 0).all() or not np.isfinite(given).all():
        raise InputError(f"times: of video {video!r} are not in order; give times that don't descend")
    return given


def _numbers(found: Numbers, video: str) -> Numbers:
    if (at := np.flatnonzero(np.diff(found) <= 0)).size:
        fact = f"frame {found[at[0]]} of video {video!r} is the nearest to two of them"
        raise InputError(f"times: {fact}; say by frames how they are numbered")
    return found


def _moments(tracks: Mapping[str, FeatureTrack], wanted: Numbers) -> Seconds:
    """When frames are: as the first track says that has them; between frames that one has, in proportion."""
    known: dict[int, float] = {}
    for track in tracks.values():
        known = dict(zip(track.frames.tolist(), track.times.tolist(), strict=True)) | known
    numbers = np.array(sorted(known))
    seconds = np.maximum.accumulate([known[number] for number in numbers.tolist()])
    found = np.interp(wanted, numbers, seconds)
    if len(numbers) > 1:
        # beyond the ends at the mean rate
        pace = (seconds[-1] - seconds[0]) / (numbers[-1] - numbers[0])
        found += pace * ((wanted - numbers[-1]).clip(min=0) + (wanted - numbers[0]).clip(max=0))
    return found


def _place(name: str, track: FeatureTrack) -> str:
    return f"tracks.{name}" if track.path is None else str(track.path)
