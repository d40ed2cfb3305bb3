"""Reader of `s-aff-wild2`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from affectkit.data.labels import ABAW_8, ABAW_AUS
from affectkit.datasets.abaw import movie_of, named_fps
from affectkit.datasets.abaw_folders import annotation_folders, child, movie_paths, no_pictures, picture_folders
from affectkit.datasets.abaw_halves import halves_of, part_videos
from affectkit.datasets.frame_labels import label_affect, label_expression, label_units
from affectkit.datasets.frame_notes import note_left_out, note_lines, note_missing
from affectkit.datasets.frame_places import place_listed
from affectkit.datasets.mtl_lists import MtlList, read_mtl_list
from affectkit.datasets.notes import Notes, counted, named
from affectkit.datasets.s_aff_wild2 import SAffWild2Config
from affectkit.datasets.tables import find_table
from affectkit.errors import InputError
from affectkit.interfaces import Dataset
from affectkit.records import FramesSource, Index, Labels, Sample

_LISTS = {
    "train": ("training_set_annotations.txt", "train_set.txt"),
    "validation": ("validation_set_annotations.txt", "validation_set.txt"),
    "test": ("MTL.txt",),
}


@final
class SAffWild2(Dataset[SAffWild2Config]):
    """One sample per video of the list."""

    def scan(self, root: Path) -> Index:
        """Samples sorted by key, `46-30-484x360_left`, with their listed frames in ascending order.

        Raises:
            InputError: no list, or another one; or no pictures.
        """
        root, notes = Path(root), Notes()
        lists = {half: read_mtl_list(self._find_list(root, half)) for half in halves_of(self.config)}
        for rows in lists.values():
            if rows.values is None and self.config.split != "test":
                raise InputError(f"{rows.name}: a list without labels; give another table, or say split='test'")
        folders, movies = picture_folders(root, self.config.frames), movie_paths(root)
        where = ", ".join(rows.name for rows in lists.values())
        videos = part_videos({half: rows.videos for half, rows in lists.items()}, self.config, where, notes)
        samples = [
            sample
            for half, rows in lists.items()
            for sample in self._read(half, rows, videos[half], folders, movies, notes)
        ]
        return Index(samples=tuple(sorted(samples, key=lambda one: one.key)), issues=tuple(notes.issues))

    def _read(
        self,
        half: str,
        rows: MtlList,
        videos: list[str],
        folders: Mapping[str, str],
        movies: Mapping[str, str],
        notes: Notes,
    ) -> Iterator[Sample]:
        """Samples of these videos of one list."""
        self._note_rows(rows, notes)
        labels = {} if rows.values is None else self._label(rows, rows.values, notes)
        for video in videos:
            places = rows.videos[video]
            if video not in folders:
                fact = no_pictures(video, folders)
                notes.add("error", _row(rows, places[0]), fact, video)
                continue
            before = len(notes.issues)
            own = _ascending(rows, video, places, notes)
            placed = place_listed(
                folders[video], [rows.numbers[at] for at in own], [rows.names[at] for at in own], self.config.missing
            )
            if placed is None:
                notes.add("error", video, "no picture in the folder of this video; unpack it again", video)
                continue
            note_missing(placed, len(own), self.config.missing, video, notes)
            kept = np.array(own)[list(placed.kept)]
            fps = named_fps(video) or self.config.fps
            yield Sample(
                dataset="s-aff-wild2",
                subject=f"aff-wild2/{movie_of(video)}",
                subject_is_known=False,
                key=video,
                source=FramesSource(frames=placed.frames, fps=fps),
                times=(np.array(placed.frames.numbers, dtype=np.float64) - 1) / fps,
                targets={head: Labels(one.values[kept], one.valid[kept]) for head, one in labels.items()},
                raw={"list": rows.name, "movie": movies.get(movie_of(video), ""), "split": half},
                issues=notes.since(before),
            )

    def _find_list(self, root: Path, half: str) -> Path:
        """In the folder, in `MTL_Challenge`, or in either in a folder of annotations.

        Raises:
            InputError: there is none, or several.
        """
        names, named_list = _LISTS[half], self.config.table
        if named_list is not None and self.config.split == "all":
            return find_table(root / named_list, names)
        if named_list is not None or not root.is_dir():
            return find_table(root, names, named_list)
        tops = [root, *annotation_folders(root)]
        places = [*tops, *(inner for top in tops if (inner := child(top, ("MTL_Challenge",))) is not None)]
        found = [place / name for place in places for name in names if (place / name).is_file()]
        if len(found) > 1:
            shown = ", ".join(repr(path.relative_to(root).as_posix()) for path in found)
            raise InputError(f"{root}: lists {shown}; say which with table=")
        return found[0] if found else find_table(root, names)

    def _label(self, rows: MtlList, values: NDArray[np.float64], notes: Notes) -> dict[str, Labels]:
        config = self.config
        found = {
            config.va: label_affect(values[:, :2]),
            config.expr: label_expression(values[:, 2], ABAW_8, config.classes),
            config.au: label_units(values[:, 3:], ABAW_AUS, config.units),
        }
        for one in found.values():
            odd = np.flatnonzero(one.odd & rows.readable) + rows.first_line
            note_lines(rows.name, odd, f"with {one.oddity}", notes)
            note_left_out(rows.name, one.left_out, config.classes, notes)
        return {head: one.labels for head, one in found.items()}

    def _note_rows(self, rows: MtlList, notes: Notes) -> None:
        nameless = [at for at, number in enumerate(rows.numbers) if number < 0]
        if nameless:
            lines = named(at + rows.first_line for at in nameless)
            fact = f"{counted(len(nameless), 'line')} without a picture VIDEO/NUMBER.jpg: {lines}; left out"
            notes.add("error", rows.name, fact)
        unread = np.flatnonzero(~rows.readable) + rows.first_line
        note_lines(rows.name, unread, "without 16 fields, of which 15 numbers", notes)


def _ascending(rows: MtlList, video: str, places: list[int], notes: Notes) -> list[int]:
    """Places of a video's rows by frame number; of two rows of one frame the first counts."""
    first: dict[int, int] = {}
    for at in places:
        first.setdefault(rows.numbers[at], at)
    if doubles := sorted(set(places).difference(first.values())):
        lines = named(at + rows.first_line for at in doubles)
        fact = f"{counted(len(doubles), 'line')} of frames that another has: {lines}; the first counts"
        notes.add("warning", rows.name, fact, video)
    return [at for _, at in sorted(first.items())]


def _row(rows: MtlList, at: int) -> str:
    return f"{rows.name} line {at + rows.first_line}"
