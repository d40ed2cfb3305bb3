"""Examples in `.npz` files: arrays that anyone can write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectkit.errors import InputError
from affectkit.sequences import Sequence, Targets


def read_arrays(path: Path) -> dict[str, Any]:
    """Fields of `Examples`, from the arrays that `read_examples` describes.

    Raises:
        InputError: it can't be read, or an array is of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read ({error}); write plain arrays with numpy.savez") from error
    named = {name: arrays.pop(name).astype(str).tolist() for name in ("subject", "key", "dataset") if name in arrays}
    if "subject" not in named:
        raise InputError(f"{path}: no array 'subject'; say whose each clip is, so that nobody is in both halves")
    inputs: dict[str, Sequence] = {}
    targets: dict[str, Targets] = {}
    for name, array in arrays.items():
        if array.ndim in (3, 5) and array.dtype.kind == "f":
            inputs[name] = Sequence.of(torch.from_numpy(array.astype(np.float32)))
        elif array.ndim == 1 and array.dtype.kind in "iu":
            values = torch.from_numpy(array.astype(np.int64))
            targets[name] = Targets(values.clamp(min=0), values >= 0)
        else:
            raise InputError(
                f"{path}: {name!r} is {array.dtype} {array.shape}; inputs are float (N, T, C, H, W) or (N, T, D), "
                "labels whole numbers (N,)"
            )
    return {
        "inputs": inputs,
        "targets": targets,
        "subjects": tuple(named["subject"]),
        "keys": tuple(named.get("key", ())),
        "datasets": tuple(named.get("dataset", ())),
    }
