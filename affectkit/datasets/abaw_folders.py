"""Where the files of an ABAW challenge lie: annotations, pictures and movies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from affectkit.datasets.abaw import movie_of
from affectkit.datasets.label_files import Challenge
from affectkit.datasets.notes import named
from affectkit.errors import InputError, listed

_ANNOTATIONS = re.compile(r"\w+[ _]ABAW[ _]Annotations", re.IGNORECASE)
# Names differ from year to year; the last of each is that of the first two challenges.
CHALLENGES: Mapping[Challenge, tuple[str, ...]] = {
    "va": ("VA_Estimation_Challenge", "VA_Set"),
    "expr": ("EXPR_Classification_Challenge", "EXPR_Recognition_Challenge", "EXPR_Set"),
    "au": ("AU_Detection_Challenge", "AU_Set"),
}
SPLITS = {"train": ("Train_Set", "Training_Set"), "validation": ("Validation_Set",)}
# Pictures of videos that later challenges added.
_ADDED = "_new_50_vids"
_MOVIES = (".mp4", ".avi")


def annotation_folders(root: Path) -> list[Path]:
    """Folders such as `6th ABAW Annotations` directly below `root`, sorted."""
    return sorted(path for path in root.iterdir() if path.is_dir() and _ANNOTATIONS.fullmatch(path.name))


def find_annotations(root: Path, table: str | None) -> Path:
    """The folder that holds the folders of the challenges.

    Raises:
        InputError: there is none, or there are several and none is named.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder that holds the dataset")
    if table is not None:
        if not (root / table).is_dir():
            raise InputError(f"{root / table}: no such folder; give table as seen from {root}")
        return root / table
    if any(child(root, names) for names in CHALLENGES.values()):
        return root
    found = annotation_folders(root)
    if len(found) > 1:
        raise InputError(f"{root}: annotations {listed(path.name for path in found)}; say which with table=")
    if not found:
        raise InputError(f"{root}: no annotations, such as '6th ABAW Annotations'; unpack them there, or say table=")
    return found[0]


def label_paths(annotations: Path, challenge: Challenge, split: str) -> dict[str, Path] | None:
    """Files of one half by video, sorted; None where the challenge or the half is not there."""
    folder = child(annotations, CHALLENGES[challenge])
    half = None if folder is None else child(folder, SPLITS[split])
    if half is None:
        return None
    names = sorted(name for name in os.listdir(half) if name.endswith(".txt") and not name.startswith("."))
    return {name.removesuffix(".txt"): half / name for name in names}


def picture_folders(root: Path, frames: str) -> dict[str, str]:
    """Folders of pictures by video, the suffix of a second person included.

    Raises:
        InputError: there is no folder of that kind of pictures.
    """
    bases = [base for name in (frames, frames + _ADDED) if (base := child(root, (name,))) is not None]
    if not bases:
        raise InputError(f"{root}: no folder {frames!r}; unpack it there, or say other frames=")
    folders: dict[str, str] = {}
    for base in bases:
        with os.scandir(base) as entries:
            for entry in entries:
                if entry.is_dir() and not entry.name.startswith("."):
                    folders.setdefault(entry.name, entry.path)
    return folders


def movie_paths(root: Path) -> dict[str, str]:
    """Movies in `batch1`, `batch2` and so on by name, as seen from `root`."""
    batches = sorted(path for path in root.iterdir() if path.is_dir() and path.name.lower().startswith("batch"))
    paths = (path for batch in batches for path in sorted(batch.iterdir()) if path.suffix.lower() in _MOVIES)
    return {path.stem: path.relative_to(root).as_posix() for path in paths}


def no_pictures(video: str, folders: Iterable[str]) -> str:
    """What to say of a video without a folder of pictures: another person of the same movie is no stand-in."""
    others = sorted(name for name in folders if movie_of(name) == movie_of(video))
    aside = f" ({named(others)}: another person)" if others else ""
    return f"no folder of pictures {video!r}{aside}; unpack it, or remove its labels"


def child(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first folder of these names directly below another, whatever its case; None where there is none."""
    known = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((known[name.lower()] for name in names if name.lower() in known), None)
