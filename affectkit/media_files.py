"""Videos and pictures on the disk: those of a folder, of a list, and what they are called below a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from affectkit.errors import InputError
from affectkit.video.opening import HEIC_SUFFIXES, PICTURE_SUFFIXES, is_picture

# What FFmpeg reads and people keep faces in; other files of a folder are left alone.
VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp", ".gif")


def find_videos(folder: str | Path) -> list[Path]:
    """Videos and pictures in a folder and the folders in it, sorted; links to nothing too, but no hidden files.

    Raises:
        InputError: no such folder, or nothing in it has the ending of a video or picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the path")
    endings = {*VIDEO_ENDINGS, *PICTURE_SUFFIXES}
    found = sorted(
        path
        for path in folder.rglob("*")
        # of what can't be read, whoever looks for it learns why; so too of a link to a disk that is not there
        if path.suffix.lower() in (*endings, *HEIC_SUFFIXES)
        and (path.is_file() or not path.exists())
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise InputError(f"{folder}: holds no video or picture; endings are {', '.join(sorted(endings))}")
    return found


def find_pictures(folder: str | Path) -> list[Path]:
    """The pictures among what `find_videos` finds.

    Raises:
        InputError: no such folder, or nothing in it has the ending of a picture.
    """
    found = [path for path in find_videos(folder) if is_picture(path)]
    if not found:
        raise InputError(f"{folder}: holds no picture; endings are {', '.join(PICTURE_SUFFIXES)}")
    return found


def list_files(
    files: str | Path | Iterable[str | Path],
    *,
    root: str | Path | None = None,
    find: Callable[[str | Path], list[Path]] = find_videos,
) -> tuple[list[Path], Path]:
    """What is to be analyzed, and the folder that names in tables are below.

    Arguments:
        files: a folder, or paths of files and folders.
        root: that folder, where it is known already.
        find: gives what is in a folder.

    Raises:
        InputError: a folder is missing or holds nothing, or the list is empty.
    """
    if isinstance(files, str | Path):
        if not Path(files).is_dir():
            raise InputError(f"{files}: no such folder; give a folder, or a list of paths")
        return find(files), Path(root if root is not None else files)
    paths = [path for file in map(Path, files) for path in (find(file) if file.is_dir() else [file])]
    if not paths:
        raise InputError("videos: the list is empty; name at least one")
    if root is not None:
        return paths, Path(root)
    return [path.absolute() for path in paths], Path(os.path.commonpath([_plain(path).parent for path in paths]))


def names_below(paths: Iterable[Path], root: Path) -> list[Path]:
    """The paths as seen from a folder.

    Raises:
        InputError: one lies elsewhere.
    """
    names = []
    for path in paths:
        if not _plain(path).is_relative_to(_plain(root)):
            raise InputError(f"{path}: is not below the folder {str(root)!r}; leave root out, or name a folder above")
        names.append(_plain(path).relative_to(_plain(root)))
    return names


def _plain(path: Path) -> Path:
    """Without `..`: for names only, since behind a link to a folder it may be another file."""
    return Path(os.path.abspath(path))
