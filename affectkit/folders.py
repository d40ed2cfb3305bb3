"""Folders that commands write to: made where they are not there, or why they can't be."""

from __future__ import annotations

from pathlib import Path

from affectkit.errors import InputError


def make_folder(folder: Path, noun: str, *, parents: bool = True) -> Path:
    """A folder for what a command writes, made where it isn't there.

    Arguments:
        folder: the path.
        noun: what is written there, as `the run`.
        parents: whether folders above it are made too.

    Raises:
        InputError: it is a file, or can't be made.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; name a folder for {noun}")
        folder.mkdir(parents=parents, exist_ok=True)
    except FileNotFoundError:
        raise InputError(f"{folder}: no folder {str(folder.parent)!r}; create it") from None
    except OSError as error:
        raise InputError(f"{folder}: can't be made ({error.strerror}); choose another folder") from error
    return folder
