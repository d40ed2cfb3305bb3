"""Reader of `aff-wild2`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np

from affectkit.datasets.abaw import movie_of, named_fps
from affectkit.datasets.abaw_folders import (
    CHALLENGES,
    SPLITS,
    find_annotations,
    label_paths,
    movie_paths,
    no_pictures,
    picture_folders,
)
from affectkit.datasets.abaw_halves import halves_of, part_videos
from affectkit.datasets.aff_wild2 import AffWild2Config
from affectkit.datasets.frame_folders import list_frames
from affectkit.datasets.frame_notes import note_left_out, note_missing
from affectkit.datasets.frame_places import place_frames
from affectkit.datasets.label_files import Challenge, label_frames, read_label_file
from affectkit.datasets.notes import Notes, counted, named
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import FramesSource, Index, Labels, Sample

Files = dict[Challenge, dict[str, Path]]


@final
class AffWild2(Dataset[AffWild2Config]):
    """One sample per video with labels of any of the challenges."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `46-30-484x360_left`: names of annotations and of folders of pictures.

        Raises:
            InputError: no annotations, those of several challenges, none of the challenge or split, or no pictures.
        """
        root = Path(root)
        annotations = find_annotations(root, self.config.table)
        files = {half: self._find_files(annotations, half) for half in halves_of(self.config)}
        folders, movies = picture_folders(root, self.config.frames), movie_paths(root)
        notes, left_out = Notes(), Counter[str]()
        listed = {half: {video for paths in own.values() for video in paths} for half, own in files.items()}
        videos = part_videos(listed, self.config, annotations.name, notes)
        samples = []
        for video, half in sorted((video, half) for half, names in videos.items() for video in names):
            own = {challenge: paths[video] for challenge, paths in files[half].items() if video in paths}
            if video not in folders:
                path = next(iter(own.values()))
                notes.add("error", _shown(path, annotations), no_pictures(video, folders), video)
                continue
            sample = self._make_sample(video, own, folders[video], annotations, notes, left_out)
            if sample is not None:
                movie = movies.get(movie_of(video), "")
                samples.append(replace(sample, raw={**sample.raw, "movie": movie, "split": half}))
        if self.config.split != "all":
            self._note_halves(annotations, files[self.config.split], notes)
        note_left_out(annotations.name, left_out, self.config.classes, notes)
        return Index(samples=tuple(samples), issues=tuple(notes.issues))

    def _find_files(self, annotations: Path, split: str) -> Files:
        """Paths of a half by challenge and video.

        Raises:
            InputError: there are none.
        """
        chosen = self.config.challenge
        wanted = tuple(CHALLENGES) if chosen == "all" else (chosen,)
        found = {challenge: label_paths(annotations, challenge, split) for challenge in wanted}
        files: Files = {challenge: paths for challenge, paths in found.items() if paths}
        if not files:
            places = " or ".join(repr(f"{CHALLENGES[one][0]}/{SPLITS[split][0]}") for one in wanted)
            raise InputError(f"{annotations}: no labels in {places}; unpack them there, or say other split=")
        return files

    def _make_sample(
        self, video: str, paths: dict[Challenge, Path], folder: str, annotations: Path, notes: Notes,
        left_out: Counter[str],
    ) -> Sample | None:  # fmt: skip
        before = len(notes.issues)
        pictures = list_frames(folder)
        notes.add_names(video, pictures, video)
        if not pictures.names:
            notes.add("error", video, "no picture in the folder of this video; unpack it again", video)
            return None
        labels: dict[str, Labels] = {}
        counts: dict[str, int] = {}
        for challenge, path in paths.items():
            where = _shown(path, annotations)
            try:
                file = read_label_file(path, challenge, where)
            except InputError as error:
                # what is wrong with one file must not hide what is in the others
                notes.add("error", where, _fact(error, where, path), video)
                continue
            found = label_frames(file, challenge, self.config, notes, video)
            left_out += found.left_out
            labels[getattr(self.config, challenge)] = found.labels
            counts[where] = len(file.values)
        if not counts:
            return None
        longest = max(counts, key=lambda where: counts[where])
        lines = counts[longest]
        _note_counts(counts, longest, pictures.numbers, video, notes)
        placed = place_frames(pictures, range(1, lines + 1), self.config.missing)
        note_missing(placed, lines, self.config.missing, video, notes, longest)
        fps = named_fps(video) or self.config.fps
        return Sample(
            dataset="aff-wild2",
            subject=f"aff-wild2/{movie_of(video)}",
            subject_is_known=False,
            key=video,
            source=FramesSource(frames=placed.frames, fps=fps),
            times=(np.array(placed.frames.numbers, dtype=np.float64) - 1) / fps,
            targets={head: _fitted(one, lines, placed.kept) for head, one in labels.items()},
            raw={challenge: _shown(path, annotations) for challenge, path in paths.items()},
            issues=notes.since(before),
        )

    def _note_halves(self, annotations: Path, files: Files, notes: Notes) -> None:
        """What is trained on for one challenge may be what another is evaluated on."""
        other = "validation" if self.config.split == "train" else "train"
        videos = {video for paths in files.values() for video in paths}
        for challenge in files:
            movies = {movie_of(video) for video in label_paths(annotations, challenge, other) or ()}
            both = sorted(video for video in videos if movie_of(video) in movies)
            if both:
                shown = f"{counted(len(both), 'video')} of this split"
                fact = f"{shown} from movies of the {other} split of {challenge}: {named(both)}"
                notes.add("warning", annotations.name, f"{fact}; train on all challenges without them")


def _note_counts(counts: dict[str, int], longest: str, numbers: list[int], video: str, notes: Notes) -> None:
    """Lines that the files of a video differ by, and pictures behind the last line."""
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{where} {count}" for where, count in counts.items())
        notes.add(
            "warning", video, f"files with unlike numbers of lines: {shown}; the shorter say nothing there", video
        )
    lines = counts[longest]
    behind = [number for number in numbers if not 1 <= number <= lines]
    if behind:
        fact = f"{counted(len(behind), 'picture')} without a line: {named(behind)}, of {lines} lines of {longest}"
        notes.add("warning", video, f"{fact}; left out", video)


def _fitted(labels: Labels, lines: int, kept: tuple[int, ...]) -> Labels:
    """Labels of the frames that are kept; where a file has fewer lines than another, nothing is valid."""
    short = lines - len(labels.values)
    parts = [np.pad(one, [(0, short), *[(0, 0)] * (one.ndim - 1)]) for one in (labels.values, labels.valid)]
    values, valid = (part if len(kept) == lines else part[list(kept)] for part in parts)
    return Labels(values, valid.astype(bool))


def _fact(error: InputError, where: str, path: Path) -> str:
    """What an error says behind the place that the issue names already."""
    text = str(error)
    for start in (f"{where}, ", f"{where}: ", f"{path}: "):
        text = text.removeprefix(start)
    return text


def _shown(path: Path, annotations: Path) -> str:
    return path.relative_to(annotations).as_posix()
