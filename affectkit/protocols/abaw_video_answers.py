"""Answers to the 3rd ABAW challenge: a file per video, with the header of its annotations and a line per frame."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence as Items
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from affectkit.errors import InputError, listed
from affectkit.protocols.abaw_tracks import Part, Track
from affectkit.protocols.frame_store import nearest_rows
from affectkit.protocols.frame_tables import stored_predictions
from affectkit.protocols.text_tables import read_text
from affectkit.results.places import explained, replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """What an answer holds.

    Attributes:
        lines: of frames.
        videos: that they are of.
        nearest: how many frames nobody predicted, and got what was predicted for the nearest; 0 where an answer is
            checked, since that can't be seen.
    """

    lines: int
    videos: int
    nearest: int


def encode_frames(
    frames: NDArray[np.int64], values: NDArray[np.float64], parts: Items[Part], wanted: Items[int]
) -> tuple[list[str], list[int]]:
    """Fields of each wanted frame, from those that are predicted; and places of those for which the nearest stood in.

    Arguments:
        frames: predicted ones, ascending, at least one.
        values: `(N, K)`, the targets of the parts side by side.
        parts: of a line.
        wanted: numbers of frames.
    """
    import numpy as np

    rows = nearest_rows(frames, wanted)
    strangers = np.flatnonzero(frames[rows] != np.asarray(wanted))
    columns, start = [], 0
    for part in parts:
        columns.append(part.encode(values[rows, start : start + len(part.targets)]))
        start += len(part.targets)
    return [",".join(fields) for fields in zip(*columns, strict=True)], strangers.tolist()


def write(
    track: Track, predictions: Path, sample: Path, out: Path, *, use: Items[str], missing: str, overwrite: bool
) -> Answer:
    """As `write_answer`. A video has lines from frame 1 to the last in the table, since its list says no number.

    A frame counts there without values too: it is in the video, and nobody predicted it.

    Raises:
        InputError: as `write_answer`.
    """
    videos = _videos(sample)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder, since this answer is a file per video")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise InputError(f"{out}: not an empty folder; add --overwrite (in Python overwrite=True), or name another")
    if not out.parent.is_dir():
        raise InputError(f"{out}: no folder {str(out.parent)!r}; create it")
    lines, filled = 0, 0
    with _unfinished(out) as folder, stored_predictions(predictions, track.parts, use) as store:
        for video in videos:
            frames, values = store.read(video)
            if not len(frames):
                raise InputError(f"{sample}: no prediction of the video {video!r}; predict it")
            wanted = range(1, store.last_frame(video) + 1)
            fields, strangers = encode_frames(frames, values, track.parts, wanted)
            if strangers and missing == "refuse":
                fact = f"no prediction of frame {wanted[strangers[0]]} of {video!r}"
                hint = "predict it, or take the nearest frame's with --missing nearest"
                raise InputError(f"{sample}: {fact}; {hint}")
            with replacing(folder / f"{video}.txt") as file:
                file.write("".join(f"{line}\n" for line in (track.header, *fields)).encode())
            lines, filled = lines + len(fields), filled + len(strangers)
    return Answer(lines, len(videos), filled)


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A folder beside `out` for the block, whose files are there at its end, all of them or none."""
    with explained(out, "choose another folder"):
        beside = tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.")
    with beside as name:
        # the temporary one is for the user alone; this one is for whoever may read there
        folder = Path(name) / out.name
        folder.mkdir()
        yield folder
        with explained(out, "choose another folder"):
            if not out.exists():
                folder.rename(out)
                return
            for path in sorted(folder.iterdir()):
                path.replace(out / path.name)


def check(track: Track, answer: Path, sample: Path) -> Answer:
    """As `check_answer`.

    Raises:
        InputError: as `check_answer`; or a file is missing, or of a video that the list does not name.
    """
    videos = _videos(sample)
    if not answer.is_dir():
        raise InputError(f"{answer}: no such folder; give the folder with a file per video")
    found = {name.removesuffix(".txt") for name in os.listdir(answer) if name.endswith(".txt")}
    for names, what in (
        (sorted(set(videos) - found), "no files of"),
        (sorted(found - set(videos)), "files of videos that the list does not name:"),
    ):
        if names:
            raise InputError(f"{answer}: {what} {listed(names)}; give one file per video of {sample}")
    return Answer(sum(_check_file(track, answer / f"{video}.txt") for video in videos), len(videos), 0)


def _check_file(track: Track, path: Path) -> int:
    (part,) = track.parts
    lines = read_text(path, "an answer").splitlines()
    if not lines or lines[0] != track.header:
        raise InputError(f"{path}, line 1: header {lines[0] if lines else ''!r}; write {track.header!r}")
    for line, text in enumerate(lines[1:], start=2):
        fields = text.split(",")
        if len(fields) != part.width:
            raise InputError(f"{path}, line {line}: number of fields is {len(fields)}; write {part.width}")
        if fault := part.fault(fields):
            raise InputError(f"{path}, line {line}: {fault}")
    if len(lines) == 1:
        raise InputError(f"{path}: no line below its header; write one per frame")
    return len(lines) - 1


def _videos(sample: Path) -> list[str]:
    videos = []
    for line, text in enumerate(read_text(sample, "videos").splitlines(), start=1):
        if not text.strip():
            continue
        video = text.strip().removesuffix(".txt")
        # answers of other names would lie in other folders; of Windows' too, which have more separators
        if video in ("", "..") or PureWindowsPath(video).name != video:
            raise InputError(f"{sample}, line {line}: {video!r} is no name of a video; give the owners' list")
        videos.append(video)
    if not videos:
        raise InputError(f"{sample}: names no video; give the owners' list")
    if len(set(videos)) < len(videos):
        twice = next(video for video in videos if videos.count(video) > 1)
        raise InputError(f"{sample}: video {twice!r} is there twice; give the owners' list")
    return videos
