"""Where results go: the files of one table, whether they may be written, and how they come into place whole."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from affectkit.errors import InputError

TABLE_ENDINGS = (".parquet", ".csv")
PROGRESS_FILE = "progress.json"
# The names of all that is written into a folder of parts.
_OURS = re.compile(r"(rows|events)-\d+\.(csv|parquet)|progress\.json|\..+\.tmp|joined.*")


def parts_of(out: Path) -> Path:
    """The folder of an unfinished table."""
    return out.with_name(out.name + ".parts")


def events_of(out: Path) -> Path:
    """The table of events beside a table of rows."""
    return out.with_name(f"{out.stem}.events{out.suffix}")


def info_of(out: Path) -> Path:
    """What is said about the run, beside a CSV file; a Parquet file holds it itself."""
    return out.with_name(out.name + ".info.json")


def is_unfinished(out: str | Path) -> bool:
    """Whether an interrupted run, or one that goes on, left its parts there."""
    return (parts_of(Path(out)) / PROGRESS_FILE).is_file()


def check_out(path: str | Path, *, overwrite: bool = False, resume: bool = False) -> Path:
    """`path`, if a table can be written there; nothing is left behind.

    Arguments:
        path: a `.parquet` or `.csv` file.
        overwrite: whether what is there, finished or not, may be replaced.
        resume: whether a table, finished or not, may be there, since it is gone on with.

    Raises:
        InputError: the ending is another, something is there that may not be replaced, or the folder is missing or
            can't be written to.
    """
    path = Path(path)
    check_ending(path, TABLE_ENDINGS, "write a .parquet or .csv file")
    if is_unfinished(path) and not (overwrite or resume):
        raise InputError(
            f"{path}: an unfinished table is in {str(parts_of(path))!r}; add --resume to go on with it, or --overwrite "
            "to begin anew (in Python resume=True, overwrite=True)"
        )
    may_replace = overwrite or resume
    check_file(path, overwrite=may_replace)
    for beside in (events_of(path), info_of(path)):
        check_file(beside, overwrite=may_replace)
    return path


def check_file(path: Path, *, overwrite: bool) -> None:
    """Raise InputError unless a file can be written at `path`."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: already there; add --overwrite (in Python overwrite=True), or name another file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: no folder {str(path.parent)!r}; create it")
    with explained(path, "choose another folder"):
        tempfile.TemporaryFile(dir=path.parent).close()


def check_not_input(outs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise InputError if a file that is to be written would take the place of one that is read."""
    there = {(found.st_dev, found.st_ino): out for out in outs if out.exists() and (found := out.stat())}
    # without any, the disk need not be asked for many inputs
    for path in inputs if there else ():
        if path.exists() and (out := there.get((path.stat().st_dev, path.stat().st_ino))) is not None:
            raise InputError(f"{out}: is itself among what is analyzed, and would be lost; name another file")


def check_ending(path: Path, endings: tuple[str, ...], suggestion: str) -> None:
    """Raise InputError unless `path` has one of the endings."""
    if path.suffix not in endings:
        raise InputError(f"{path}: ending {path.suffix!r}; {suggestion}")


def check_count(path: Path, found: int, wanted: int) -> None:
    """Raise InputError if a file has lost lines of those that count."""
    if found < wanted:
        raise InputError(f"{path}: has {found} of {wanted} lines; analyze the video again")


@contextmanager
def explained(path: Path, suggestion: str) -> Iterator[None]:
    """What the system says of a file that can't be written becomes an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror or error}); {suggestion}") from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that is written under a temporary name, and has its own only when it is whole and on the disk."""
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        # the disk may be full: what is of no use gives its room back
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def temporary_of(path: Path) -> Path:
    """The name of a file until it is whole."""
    return path.with_name(f".{path.name}.tmp")


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_parts(folder: Path) -> None:
    """Delete the folder of parts if it is there; with a file in it that is none of ours, it stays for that one."""
    if not folder.is_dir():
        return
    # without it, what is left is no table: a crash while deleting must not leave half of one
    (folder / PROGRESS_FILE).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name):
            path.unlink()
    # macOS puts a .DS_Store into it, and NFS what a reader still has open
    if not any(folder.iterdir()):
        os.rmdir(folder)
