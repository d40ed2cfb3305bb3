"""Where built kernels are kept: what is loaded from there is whole, and nobody but its owner could have written it.

A library that was cut short kills the process that loads it, and one of a stranger does what the stranger likes. So a
file's name ends with the SHA-256 of its bytes, and neither it nor its folder may be writable by others.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path


def find_kept(folder: Path, name: str) -> list[Path]:
    """Files that were kept under that name and are whole: one, none, or several if builders ran at once.

    Raises:
        PermissionError: somebody else owns the folder or a file, or may write to it.
    """
    if not folder.exists():
        return []
    _check_owner(folder)
    named = sorted(folder.glob(f"{name}-*.so"))
    for path in named:
        _check_owner(path)
    return [path for path in named if path.stem == f"{name}-{_digest(path)}"]


def open_folder(folder: Path) -> None:
    """Make the folder, for its owner alone, if it is not there.

    Raises:
        PermissionError: somebody else owns it, or may write to it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    _check_owner(folder)


def keep(made: Path, folder: Path, name: str) -> Path:
    """Move a file into the folder and give its path there; after a crash of the machine it is there whole, or not."""
    made.chmod(0o700)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    path = folder / f"{name}-{_digest(made)}.so"
    os.replace(made, path)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_owner(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path}: user {found.st_uid} owns it; name another folder by AFFECTKIT_CACHE")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path}: others may write to it; run chmod go-w on it")
