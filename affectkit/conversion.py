"""Makes a safetensors file of a `.pth` checkpoint. Nothing in the checkpoint is executed.

Training code saves a state dict as it is, or below a name beside optimizers and counters; and with `module.` in front
of all keys where it ran on several devices. Objects of classes that its script defined are read as empty ones: such a
class is `__main__.RecorderMeter` in the file, and nothing of the kind is there when the file is read.
"""

from __future__ import annotations

import os
import pickle
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import save_file
from torch import Tensor

from affectkit.errors import WeightsError, listed
from affectkit.weights import sha256

# the first of these that is there holds the state dict
NESTING = ("state_dict", "model_state_dict", "model", "net")
_PREFIX = "module."
# as torch writes it for what it refuses to make
_REFUSED = re.compile(r"GLOBAL (\S+)")
_SCRIPT = "__main__."


@dataclass(frozen=True)
class Conversion:
    """What a conversion did.

    Attributes:
        source: the checkpoint.
        out: the safetensors file.
        tensors: how many it holds.
        parameters: numbers in all of them.
        nesting: names below which the state dict lay, from the outside in.
        left_out: names beside it, such as `optimizer`.
        classes: of the training script, such as `__main__.RecorderMeter`, whose objects were read as empty ones.
        has_prefix: whether `module.` stood in front of all keys.
    """

    source: Path
    out: Path
    tensors: int
    parameters: int
    nesting: tuple[str, ...]
    left_out: tuple[str, ...]
    classes: tuple[str, ...]
    has_prefix: bool


class _Placeholder:
    """Stands for an object of the training script: takes whatever that was made of, and keeps nothing."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def convert_checkpoint(
    source: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False
) -> Conversion:
    """Write the tensors of a checkpoint as safetensors.

    A temporary name comes first, so that the file is whole or not there. Its metadata say from which file it was made,
    by that one's sha256.

    Arguments:
        source: a file of `torch.save`.
        out: a path that ends with `.safetensors`.
        overwrite: replace a file that is there.

    Raises:
        WeightsError: the checkpoint can't be read without executing it, or holds something else than tensors by name;
            or `out` is there, has another ending, or lies in no folder.
    """
    source, out = Path(source), Path(out)
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out}: ends with {out.suffix!r}; name a .safetensors file")
    if out.exists() and not overwrite:
        raise WeightsError(f"{out}: already there; choose another name, or overwrite it")
    if not out.parent.is_dir():
        raise WeightsError(f"{out}: no folder {str(out.parent)!r}; make it first")
    stored, classes = _read(source)
    state, nesting, left_out = _unnest(stored, source)
    has_prefix = all(name.startswith(_PREFIX) for name in state)
    tensors = {name.removeprefix(_PREFIX) if has_prefix else name: _own_memory(value) for name, value in state.items()}
    _write(tensors, out, {"format": "pt", "converted_from": source.name, "converted_from_sha256": sha256(source)})
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return Conversion(source, out, len(tensors), parameters, nesting, left_out, classes, has_prefix)


def _read(source: Path) -> tuple[object, tuple[str, ...]]:
    """What the file holds, and the classes of the training script that placeholders stand for."""
    if not source.is_file():
        raise WeightsError(f"{source}: no such file; give a checkpoint that torch.save wrote")
    placeholders: dict[str, type[_Placeholder]] = {}
    while True:
        try:
            return _load(source, placeholders), tuple(placeholders)
        except pickle.UnpicklingError as error:
            found = _REFUSED.search(str(error))
            name = found.group(1) if found is not None else next(iter(placeholders), None)
            if name is None:
                raise WeightsError(f"{source}: is no checkpoint of torch; give a file that torch.save wrote") from error
            # a class with a placeholder is refused again where its objects are made by other means
            if name in placeholders or not name.startswith(_SCRIPT):
                raise WeightsError(
                    f"{source}: holds a {name!r}, and reading that would execute code; "
                    "ask its publishers for the state dict alone, or save that where you trust the file"
                ) from error
            placeholders[name] = type(name.removeprefix(_SCRIPT), (_Placeholder,), {})
        # torch reads byte for byte, and what it raises on the way depends on which one is wrong
        except Exception as error:
            raise WeightsError(f"{source}: is no checkpoint of torch; give a file that torch.save wrote") from error


def _load(source: Path, placeholders: Mapping[str, type[_Placeholder]]) -> object:
    known: list[Any] = [(kind, name) for name, kind in placeholders.items()]
    with warnings.catch_warnings(), torch.serialization.safe_globals(known):
        # of a pickle protocol other than torch's own, which reads well or ends in an error
        warnings.simplefilter("ignore", UserWarning)
        return torch.load(source, map_location="cpu", weights_only=True)


def _unnest(stored: object, source: Path) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...]]:
    nesting: list[str] = []
    left_out: list[str] = []
    while isinstance(stored, Mapping):
        inner = next((name for name in NESTING if isinstance(stored.get(name), Mapping)), None)
        if inner is None:
            return _tensors(stored, source, nesting), tuple(nesting), tuple(left_out)
        nesting.append(inner)
        left_out += [str(name) for name in stored if name != inner]
        stored = stored[inner]
    raise WeightsError(f"{source}: holds a {type(stored).__name__}; give a file that holds tensors by name")


def _tensors(stored: Mapping[Any, Any], source: Path, nesting: list[str]) -> dict[str, Tensor]:
    where = f"{source}: " + "".join(f"{name}: " for name in nesting)
    wrong = [name for name, value in stored.items() if not isinstance(name, str) or not isinstance(value, Tensor)]
    if wrong:
        kinds = listed(f"{name} ({type(stored[name]).__name__})" for name in wrong)
        raise WeightsError(
            f"{where}no tensors: {kinds}; give a file that holds tensors by name, alone or as {listed(NESTING)}"
        )
    if not stored:
        raise WeightsError(f"{where}holds no tensor; give a file that holds tensors by name")
    return dict(stored)


def _own_memory(tensor: Tensor) -> Tensor:
    # safetensors refuses tensors that share memory, and those that are not contiguous
    return tensor.detach().contiguous().clone()


def _write(tensors: dict[str, Tensor], out: Path, metadata: dict[str, str]) -> None:
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    os.close(handle)
    try:
        save_file(tensors, temporary, metadata=metadata)
        # a temporary file is for the user alone; this one is for whoever may read there
        Path(temporary).chmod(0o644)
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
