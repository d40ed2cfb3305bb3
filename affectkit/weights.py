"""The weights store: find published weights on disk, or fetch them; a file with another hash is never used.

Looked for, in this order: the folder named by `AFFECTKIT_WEIGHTS` (by file name, then by size and hash), the file in
the plugin's package (`url="package:..."`), the cache. Fetching verifies before the file gets its name.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.resources
import os
import re
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from affectkit.errors import WeightsError
from affectkit.specs import Weights

_CHUNK = 1 << 20
# No dot in front: neither hidden files nor a way up.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
Progress = Callable[[int, int], None]


def find_weights(weights: Weights, provider: str) -> Path | None:
    """Path of the file, verified, or None where it is nowhere on this machine.

    Arguments:
        weights: the published record.
        provider: distribution that publishes it; part of the cache's path.

    Raises:
        WeightsError: a file of that name is there and its hash is not the published one; or a name that would leave
            the weights folder.
    """
    name = _file_name(weights)
    folder = os.environ.get("AFFECTKIT_WEIGHTS")
    if folder and (found := _search(Path(folder), name, weights)):
        return found
    if weights.url.startswith("package:"):
        return verify(_package_file(weights), weights)
    cached = _cache_path(weights, provider, name)
    if cached.is_file():
        return verify(cached, weights)
    # Only now: a file of this name may well be another component's.
    return verify(Path(folder) / name, weights) if folder and (Path(folder) / name).is_file() else None


def fetch_weights(weights: Weights, provider: str, *, progress: Progress | None = None, timeout: float = 60.0) -> Path:
    """Path of the file, verified; downloaded if it is nowhere on this machine.

    Arguments:
        weights: the published record.
        provider: distribution that publishes it.
        progress: called with bytes so far and bytes in all.
        timeout: seconds of silence after which a download is given up; not of the whole download.

    Raises:
        WeightsError: as `find_weights`; or the download broke, or is not what was published.
    """
    found = find_weights(weights, provider)
    if found is not None:
        return found
    path = _cache_path(weights, provider, _file_name(weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(path) as (file, temporary):
        try:
            with urllib.request.urlopen(weights.url, timeout=timeout) as response:
                done = _copy(response, file, weights.size, progress)
        # a malformed or cut answer is an HTTPException, and that is no OSError
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise WeightsError(
                f"{weights.url}: download failed ({reason}); "
                f"put the file into a folder and name that in AFFECTKIT_WEIGHTS"
            ) from error
        # flushes what is hashed next; and Windows renames no open file
        file.close()
        if done != weights.size:
            raise WeightsError(f"{weights.url}: got {done} of {weights.size} bytes; try again")
        verify(temporary, weights)
        os.replace(temporary, path)
    return path


def verify(path: Path, weights: Weights) -> Path:
    """`path`, if its sha256 is the published one.

    Raises:
        WeightsError: it is not.
    """
    actual = sha256(path)
    if actual != weights.sha256:
        raise WeightsError(f"{path}: sha256 is {actual}, published is {weights.sha256}; remove it and get it again")
    return path


def sha256(path: Path) -> str:
    """Hash of a file, 64 hex digits; reads it in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where fetched weights are kept: `AFFECTKIT_CACHE`, or the platform's cache folder for a user."""
    if folder := os.environ.get("AFFECTKIT_CACHE"):
        return Path(folder)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "affectkit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "affectkit"
    # `or`: the XDG standard counts an empty variable as unset
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "affectkit"


def _search(folder: Path, name: str, weights: Weights) -> Path | None:
    if not folder.is_dir():
        raise WeightsError(f"AFFECTKIT_WEIGHTS: {str(folder)!r} is no folder; name one, or unset it")
    # The file may have another name, and its name another file: half of what is published is `model.safetensors`.
    # Sizes first, since hashing a folder of large files is slow.
    for path in sorted(folder.iterdir(), key=lambda path: (path.name != name, path.name)):
        if path.is_file() and path.stat().st_size == weights.size and sha256(path) == weights.sha256:
            return path
    return None


def _cache_path(weights: Weights, provider: str, name: str) -> Path:
    _safe(provider, "provider")
    # by hash, so that two versions of a plugin can keep their weights side by side
    return cache_folder() / "weights" / provider / f"{weights.sha256[:12]}-{name}"


def _file_name(weights: Weights) -> str:
    return _safe(PurePosixPath(weights.url.partition("?")[0].rpartition(":")[2]).name, "file name")


def _safe(name: str, what: str) -> str:
    if not _SAFE.fullmatch(name) or ".." in name:
        raise WeightsError(f"weights: {what} {name!r} may leave the weights folder; use letters, digits, . _ and -")
    return name


def _package_file(weights: Weights) -> Path:
    package, _, inner = weights.url.removeprefix("package:").partition("/")
    parts = [_safe(part, "file name") for part in inner.split("/")]
    try:
        path = Path(str(importlib.resources.files(_safe(package, "package")).joinpath(*parts)))
    except (ModuleNotFoundError, TypeError) as error:  # TypeError: a module that is no package
        raise WeightsError(f"{weights.url}: no package {package!r}; reinstall the plugin") from error
    if not path.is_file():
        raise WeightsError(f"{weights.url}: the package does not hold that file; reinstall the plugin")
    return path


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """A temporary file beside `path`, which is gone afterwards unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(source: IO[bytes], target: IO[bytes], size: int, progress: Progress | None) -> int:
    done = 0
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        done += len(chunk)
        if progress is not None:
            progress(done, size)
        # no server may fill the disk
        if done > size:
            break
    return done
