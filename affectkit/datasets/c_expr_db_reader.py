"""Reader of `c-expr-db`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from affectkit.data.labels import COMPOUND_7
from affectkit.datasets.c_expr_db import CExprDbConfig
from affectkit.datasets.frame_folders import frame_number, list_frames
from affectkit.datasets.frame_labels import label_expression
from affectkit.datasets.frame_notes import note_lines, note_missing
from affectkit.datasets.frame_places import place_frames
from affectkit.datasets.label_files import text_lines
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.tables import find_table
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.protocols.abaw_tracks import find_track
from affectkit.records import FramesSource, Index, Labels, Sample

_TRACK = find_track("abaw6-ce")
# What is no number is as odd as a number that is no class.
_ODD = -2


@dataclass(frozen=True)
class Line:
    """A line below the header.

    Attributes:
        number: of the line, from 1.
        frame: number of the picture.
        code: what stands behind the comma: a class, -1 for nothing, or another number that can't be.
    """

    number: int
    frame: int
    code: int


@final
class CExprDb(Dataset[CExprDbConfig]):
    """One sample per video of the list."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `01`, with their listed frames in ascending order.

        Raises:
            InputError: no list, another header, or no folder of a listed video.
        """
        root, notes = Path(root), Notes()
        table = find_table(root, self.config.tables, self.config.table)
        names, videos = read_challenge_list(table, notes)
        base = root / self.config.frames if (root / self.config.frames).is_dir() else root
        if not any((base / video).is_dir() for video in videos):
            raise InputError(f"{base}: no folder of pictures {next(iter(videos))!r}; unpack them there, or say frames=")
        samples = [
            sample
            for video, lines in sorted(videos.items())
            if (sample := self._make(video, lines, names, base / video, table.name, notes)) is not None
        ]
        return Index(samples=tuple(samples), issues=tuple(notes.issues))

    def _make(
        self, video: str, lines: list[Line], names: tuple[str, ...], folder: Path, where: str, notes: Notes
    ) -> Sample | None:
        before = len(notes.issues)
        pictures = list_frames(folder) if folder.is_dir() else None
        if pictures is None or not pictures.names:
            fact = f"no folder with pictures of video {video!r}; unpack it, or remove its lines"
            notes.add("error", f"{where} line {lines[0].number}", fact, video)
            return None
        notes.add_names(video, pictures, video)
        own = _ascending(lines, where, video, notes)
        placed = place_frames(pictures, [line.frame for line in own], self.config.missing)
        note_missing(placed, len(own), self.config.missing, video, notes)
        if spare := sorted(set(pictures.numbers) - {line.frame for line in own}):
            fact = f"{counted(len(spare), 'picture')} in no line of {where}: {named(spare)}; left out"
            notes.add("info", video, fact, video)
        if not placed.kept:
            notes.add("error", video, "no picture of a listed frame; unpack it again", video)
            return None
        kept, fps = np.array(placed.kept), self.config.fps
        targets = {}
        if self.config.has_labels:
            found = label_expression(np.array([float(line.code) for line in own]), names, COMPOUND_7)
            odd = [own[at].number for at in np.flatnonzero(found.odd)]
            note_lines(where, odd, f"with a class that is none of 0 to {len(names) - 1}", notes, video)
            targets[self.config.target] = Labels(found.labels.values[kept], found.labels.valid[kept])
        numbers = np.array(placed.frames.numbers, dtype=np.float64)
        return Sample(
            dataset="c-expr-db",
            subject=f"c-expr-db/{video}",
            subject_is_known=False,
            key=video,
            source=FramesSource(frames=placed.frames, fps=fps),
            times=None if fps is None else (numbers - 1) / fps,
            targets=targets,
            raw={"list": where},
            issues=notes.since(before),
        )


def read_challenge_list(path: Path, notes: Notes) -> tuple[tuple[str, ...], dict[str, list[Line]]]:
    """Classes in the order of the header, and lines by video in the order of the list.

    Raises:
        InputError: it is no text, has another header, or no line names a picture of a video.
    """
    lines = text_lines(path)
    (part,) = _TRACK.parts_of(lines[0] if lines else "", f"{path}, line 1")
    videos: dict[str, list[Line]] = {}
    nameless = []
    for number, text in enumerate(lines[1:], start=2):
        image, _, field = text.partition(",")
        video, _, name = image.strip().rpartition("/")
        frame = frame_number(name)
        # a video is a folder directly below another, and nowhere else
        if frame is None or video in ("", ".", "..") or "/" in video or "\\" in video:
            nameless.append(number)
        else:
            videos.setdefault(video, []).append(Line(number, frame, _code(field.strip())))
    if nameless:
        fact = f"{counted(len(nameless), 'line')} without a picture VIDEO/NUMBER.jpg: {named(nameless)}; left out"
        notes.add("error", path.name, fact)
    if not videos:
        raise InputError(f"{path}: no line with a picture VIDEO/NUMBER.jpg; give the owners' file")
    return part.targets, videos


def _ascending(lines: list[Line], where: str, video: str, notes: Notes) -> list[Line]:
    """By frame number; of two lines of one frame the first counts."""
    first: dict[int, Line] = {}
    for line in lines:
        first.setdefault(line.frame, line)
    if doubles := sorted({line.number for line in lines} - {line.number for line in first.values()}):
        fact = f"{counted(len(doubles), 'line')} of frames that another has: {named(doubles)}; the first counts"
        notes.add("warning", where, fact, video)
    return [line for _, line in sorted(first.items())]


def _code(field: str) -> int:
    if field in ("", "-1"):
        return -1
    return int(field) if field.isdecimal() else _ODD
