"""Results kept on disk by what they were made of: computed once, and read from then on, by any process.

The name of an entry is the sha256 of everything that decides the result: the content of arrays and files, settings as
plain data. So nobody has to say that an input changed. An entry is a safetensors file (no pickle), written under a
temporary name and renamed, so that no reader sees half of one. It holds the hash of its own content: one that is
damaged is computed again, with a warning.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.errors import CacheWarning, InputError
from affectkit.weights import cache_folder, sha256

if TYPE_CHECKING:
    from torch import Tensor

# Of the entries and of how parts are described; another one finds nothing of what was kept before.
VERSION = 1
_ENTRY = re.compile(r"[0-9a-f]{64}\.(safetensors|pictures)")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\..*")
# No entry takes that long to write: what is unfinished and older is nobody's.
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True)
class CacheSize:
    """What a cache holds, or what was removed from it.

    Attributes:
        entries: files, those among them that a process which died left unfinished.
        bytes: of all of them.
    """

    entries: int
    bytes: int


def cached(
    compute: Callable[[], Mapping[str, Tensor]], *, parts: Iterable[Any], folder: str | Path | None = None
) -> dict[str, Tensor]:
    """What `compute()` gives, from disk if it was computed from the same parts before; on the CPU, without gradient.

    A folder that can't be written to costs a `CacheWarning` and no result, and so does an entry that can't be read.

    Arguments:
        compute: makes the result; called only if there is no entry.
        parts: everything that the result depends on: tensors and arrays, paths of files (by their content, wherever
            they lie and whenever they were written), and plain data: None, bool, int, float, str, and lists, tuples and
            mappings of all of these. A version of the code belongs there too.
        folder: where entries lie; left out, `default_folder()`.

    Raises:
        InputError: a part is something else, or a file that can't be read.
    """
    described = _describe_all(parts)
    key = _sha256(described)
    path = (default_folder() if folder is None else Path(folder)) / key[:2] / f"{key}.safetensors"
    if (found := _read(path, described)) is not None:
        return found
    # a copy: safetensors refuses tensors that overlap in memory, and those that are not contiguous
    values = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in compute().items()}
    _write(path, values, described)
    return values


def digest(parts: Iterable[Any]) -> str:
    """What an entry of these parts is called: 64 digits, equal for equal content. Arguments and errors as `cached`."""
    return _sha256(_describe_all(parts))


def default_folder() -> Path:
    """Where results are kept if no folder is named: `computed` in `AFFECTKIT_CACHE`, or in the user's cache folder."""
    return cache_folder() / "computed"


def measure_cache(folder: str | Path | None = None) -> CacheSize:
    """How much is kept; nothing where there is no such folder."""
    return _total(_entries(folder))


def clear_cache(folder: str | Path | None = None) -> CacheSize:
    """Remove what is kept, and nothing else that may lie there; returns what was removed."""
    entries = _entries(folder)
    for path in entries:
        path.unlink(missing_ok=True)
    return _total(entries)


def _entries(folder: str | Path | None) -> dict[Path, int]:
    """Files of the cache and their sizes; not what else lies there."""
    sizes = {}
    for path in (default_folder() if folder is None else Path(folder)).glob("??/*"):
        is_unfinished = _UNFINISHED.fullmatch(path.name) is not None
        if is_unfinished or _ENTRY.fullmatch(path.name):
            # another process may just have renamed or removed it
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if not is_unfinished or time.time() - status.st_mtime > _ABANDONED_SECONDS:
                    sizes[path] = status.st_size
    return sizes


def _total(entries: Mapping[Path, int]) -> CacheSize:
    return CacheSize(len(entries), sum(entries.values()))


def _describe_all(parts: Iterable[Any]) -> str:
    """Parts as JSON: equal for equal content, and for nothing else."""
    described = [_describe(part, f"parts[{i}]") for i, part in enumerate(parts)]
    # keys keep their order, since the order of a config's mappings can mean something
    return json.dumps({"version": VERSION, "parts": described}, separators=(",", ":"), allow_nan=False)


def _describe(part: Any, path: str) -> Any:
    import numpy as np
    import torch

    if part is None or isinstance(part, bool | int | str):
        return part
    if isinstance(part, float):
        # JSON has neither NaN nor infinity; as text they differ from every number
        return part if part - part == 0 else {"float": str(part)}
    if isinstance(part, list | tuple):
        return [_describe(item, f"{path}[{i}]") for i, item in enumerate(part)]
    if isinstance(part, Mapping) and all(isinstance(name, str) for name in part):
        return {"map": {name: _describe(item, f"{path}.{name}") for name, item in part.items()}}
    if isinstance(part, Path):
        try:
            return {"file": sha256(part)}
        except OSError as error:
            raise InputError(f"{path}: {str(part)!r} can't be read ({error.strerror}); name a file") from None
    if isinstance(part, torch.Tensor):
        # as bytes, since numpy has no bfloat16; flattened, since a scalar tensor has no uint8 view
        content = part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        return _describe_array(content, str(part.dtype).removeprefix("torch."), part.shape)
    if isinstance(part, np.ndarray) and part.dtype.kind in "biufc":
        native = np.ascontiguousarray(part, part.dtype.newbyteorder("="))
        return _describe_array(native.reshape(-1).view(np.uint8), part.dtype.name, part.shape)
    raise InputError(
        f"{path}: {type(part).__name__} can't be compared by content; "
        "give tensors, arrays of numbers, paths, or plain data, and a config as codec.encode makes it"
    )


def _describe_array(content: Any, dtype: str, shape: Iterable[int]) -> dict[str, Any]:
    return {"array": hashlib.sha256(content).hexdigest(), "dtype": dtype, "shape": list(shape)}


def _read(path: Path, described: str) -> dict[str, Tensor] | None:
    """The entry's values; None if there is none, or, with a warning, none that can be used."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        # in one go: what opens a file twice may find another one the second time
        content = path.read_bytes()
        values = load(content)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError) as error:
        _warn(f"{path}: can't be read ({error}); it is computed again")
        return None
    # the format: eight bytes for the length of the header, then the header, which `load` has found to be sound
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header.get("__metadata__", {})
    if metadata.get("parts") != described or metadata.get("content") != _hash(values):
        _warn(f"{path}: is not what was written; it is computed again")
        return None
    return values


def _write(path: Path, values: Mapping[str, Tensor], described: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
        os.close(handle)
        try:
            save_file(dict(values), name, metadata={"parts": described, "content": _hash(values)})
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    # a full disk is a SafetensorError
    except (OSError, SafetensorError) as error:
        _warn(f"{path}: can't be written ({error}); the result is not kept")


def _hash(values: Mapping[str, Tensor]) -> str:
    return digest([{name: values[name] for name in sorted(values)}])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _warn(text: str) -> None:
    # the line that called `cached`
    warnings.warn(text, CacheWarning, stacklevel=4)
