"""Reads the published weights of `magnet`: a state dict under another implementation's names.

| stored | here |
|---|---|
| `encoder.cba_1`, `cba_2`, `resblks` | `encoder.first`, `second`, `common` |
| `encoder.texture_cba`, `texture_resblks`, `motion_resblks` | `encoder.texture`, `texture_blocks`, `shape_blocks` |
| `manipulator.g`, `h_conv`, `h_resblk` | `manipulator.g`, `h`, `h_block` |
| `decoder.texture_up`, `resblks`, `cba_1`, `cba_2` | `decoder.texture`, `blocks`, `first`, `second` |
| in residual blocks, `cba_1.conv2d.weight` | `first.weight` |
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from affectkit.errors import ArtifactError

_NAMES = {
    "texture_resblks": "texture_blocks",
    "motion_resblks": "shape_blocks",
    "texture_cba": "texture",
    "texture_up": "texture",
    "h_conv": "h",
    "h_resblk": "h_block",
    "cba_1": "first",
    "cba_2": "second",
}


def load_state(path: Path) -> dict[str, Tensor]:
    """State dict of the module, from the file; nothing in the file is executed.

    Raises:
        ArtifactError: the file holds something else than tensors by name.
    """
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ArtifactError(f"{path}: is no file of weights; get it again") from error
    if not isinstance(stored, Mapping) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise ArtifactError(f"{path}: holds {type(stored).__name__}, which is no mapping of tensors; get it again")
    return {_key(str(name)): tensor for name, tensor in stored.items()}


def _key(name: str) -> str:
    """`encoder.resblks.0.cba_1.conv2d.weight` to `encoder.common.0.first.weight`."""
    module, *rest = name.removesuffix(".conv2d.weight").split(".")
    blocks = "common" if module == "encoder" else "blocks"
    parts = [blocks if part == "resblks" else _NAMES.get(part, part) for part in rest]
    return ".".join([module, *parts, "weight"])
