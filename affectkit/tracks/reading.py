"""Feature tracks from files: one per video, whoever computed them.

Frame 1 is the first of a video, as in the names of image files that FFmpeg writes. So the time of frame n is
`(n - 1) / fps` where a file does not say it, and never where it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.tracks.formats import READERS, Array, Stored, read_stored
from affectkit.tracks.track import FeatureTrack


def read_track(
    path: str | Path, *, video: str | None = None, fps: float | None = None, frames: Iterable[int] | None = None
) -> FeatureTrack:
    """Features of one video.

    | ending | holds |
    |---|---|
    | `.npy` | `(T, D)`; frames are 1 to T unless `frames` says otherwise |
    | `.npz`, `.safetensors` | arrays `values` `(T, D)`, and `frames` `(T,)`, `times` `(T,)` or both |
    | `.parquet` | columns `frame`, or `pts` or `time` in seconds, or both; and one per dimension, or one of lists |

    Row labels that pandas stores beside a table are no features. Columns that are none by their name, such as
    `timestamp` or `confidence`, are refused.

    Arguments:
        path: of the file.
        video: its key; None for the file's name without ending. `_left` and `_right` are part of it.
        fps: frames per second, by which numbers follow from times, or times from numbers, where the file lacks one.
        frames: numbers of the frames, where the file has none.

    Raises:
        InputError: the file is missing, damaged or no such file; numbers or times can't be had; or what it holds is no
            track: lengths differ, frames don't ascend, a value is NaN or infinite.
    """
    path = Path(path)
    if fps is not None and not 0 < fps < float("inf"):
        raise InputError(f"fps: {fps!r} is not a frame rate; give frames per second, or leave it out")
    stored = read_stored(path)
    if frames is not None:
        if stored.frames is not None:
            raise InputError(f"{path}: has numbers of frames of its own; leave frames out")
        stored = replace(stored, frames=np.asarray(list(frames)))
    if stored.values.ndim != 2 or stored.values.dtype.kind not in "fiu":
        fact = f"values are {stored.values.dtype} {stored.values.shape}"
        raise InputError(f"{path}: {fact}; give numbers (T, D), a row per frame")
    numbers, times = _clock(path, stored, fps)
    key = path.stem if video is None else video
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(stored.values, np.float32)
    try:
        return FeatureTrack(video=key, frames=numbers, times=times, values=values, path=path, encoder=stored.encoder)
    except InputError as error:
        raise InputError(f"{path}{str(error).removeprefix(key)}") from None


def read_tracks(folder: str | Path, *, fps: float | None = None) -> dict[str, FeatureTrack]:
    """Features of many videos, by key: a file each, in a folder and the folders in it, sorted.

    A key is the path below the folder without the file's ending. Hidden files and other endings are left alone.

    Raises:
        InputError: no such folder, no file of features in it, two of one key, two of unequal width, or as `read_track`.
    """
    tracks: dict[str, FeatureTrack] = {}
    for key, path in track_paths(Path(folder)).items():
        tracks[key] = track = read_track(path, video=key, fps=fps)
        first = next(iter(tracks.values()))
        if track.values.shape[1] != first.values.shape[1]:
            widths = f"{track.values.shape[1]} features a frame, {str(first.path)!r} has {first.values.shape[1]}"
            raise InputError(f"{path}: {widths}; keep tracks of one extractor in a folder")
    return tracks


def track_paths(folder: Path) -> dict[str, Path]:
    """Files of features by key of the video, as `read_tracks` finds them.

    Raises:
        InputError: no such folder, no file of features in it, or two of one key.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path")
    paths: dict[str, Path] = {}
    for path in find_tracks(folder):
        key = track_key(path, folder)
        if key in paths:
            raise InputError(f"{path}: video {key!r} is in {str(paths[key])!r} too; keep one of them")
        paths[key] = path
    if not paths:
        raise InputError(f"{folder}: holds no features; endings are {', '.join(READERS)}")
    return paths


def find_tracks(folder: Path) -> list[Path]:
    """Files of features in a folder and the folders in it, sorted."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in READERS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def track_key(path: Path, folder: Path) -> str:
    """Key of the video whose features a file holds: its path below the folder, without the ending."""
    return path.relative_to(folder).as_posix().removesuffix(path.suffix)


def _clock(path: Path, stored: Stored, fps: float | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and times of the frames; the one follows from the other where it is not there."""
    frames = None if stored.frames is None else _numbers(path, stored.frames)
    times = None if stored.times is None else _vector(path, "times", stored.times).astype(np.float64)
    if times is not None and not np.isfinite(times).all():
        raise InputError(f"{path}: a time is NaN or infinite; give seconds for every frame")
    if frames is None and times is None:
        frames = np.arange(1, len(stored.values) + 1, dtype=np.int64)
    if fps is None and (frames is None or times is None):
        fact = "times and no numbers of frames" if frames is None else "no times"
        raise InputError(f"{path}: has {fact}; give frames per second, such as fps=30")
    if frames is None:
        assert times is not None
        assert fps is not None
        return np.round(times * fps).astype(np.int64) + 1, times
    if times is None:
        assert fps is not None
        times = (frames - 1) / fps
    return frames, times


def _numbers(path: Path, frames: Array) -> NDArray[np.int64]:
    given = _vector(path, "frames", frames)
    if (wrong := np.flatnonzero((given != np.round(given)) | ~np.isfinite(given))).size:
        raise InputError(f"{path}: frame {given[wrong[0]]} is no whole number; give numbers of frames")
    return given.astype(np.int64)


def _vector(path: Path, name: str, given: Array) -> NDArray[Any]:
    if given.ndim != 1 or given.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} are {given.dtype} {given.shape}; give numbers (T,)")
    return given
