"""Reads the weights of face-api.js: a shard of bytes, and the manifest that says what they mean.

The manifest lists tensors in the order of the shard, each with a name such as `dense1/conv0/pointwise_filter`, a shape,
and, where it is stored as uint8, the `scale` and `min` of `value = scale * byte + min`; the others are float32.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affectkit_faceapi.expression import MANIFEST, SHARD

# TensorFlow's order of axes to torch's: filters are (H, W, in, out), those of depthwise convolutions (H, W, in, 1).
_AXES = {"filters": (3, 2, 0, 1), "pointwise_filter": (3, 2, 0, 1), "depthwise_filter": (2, 3, 0, 1), "weights": (1, 0)}


def load_state(files: Mapping[str, Path]) -> dict[str, Tensor]:
    """State dict of the preset `expression`, float32.

    Arguments:
        files: the shard and the manifest, by the names of their records.
    """
    (manifest,) = json.loads(files[MANIFEST.name].read_text(encoding="utf-8"))
    shard = files[SHARD.name].read_bytes()
    state, at = {}, 0
    for entry in manifest["weights"]:
        values, at = _read(shard, at, entry)
        kind = entry["name"].rpartition("/")[2]
        axes = _AXES.get(kind, range(values.ndim))
        state[_key(entry["name"])] = torch.from_numpy(np.ascontiguousarray(values.transpose(tuple(axes))))
    return state


def _read(shard: bytes, at: int, entry: Mapping[str, Any]) -> tuple[np.ndarray[Any, np.dtype[np.float32]], int]:
    """One tensor, and where the next one begins."""
    count, code = math.prod(entry["shape"]), entry.get("quantization")
    stored = np.frombuffer(shard, np.dtype("<f4") if code is None else np.uint8, count, at)
    values = stored.astype(np.float32)
    if code is not None:
        values = values * np.float32(code["scale"]) + np.float32(code["min"])
    return values.reshape(entry["shape"]), at + stored.nbytes


def _key(name: str) -> str:
    """`dense1/conv0/pointwise_filter` to `branches.face.features.blocks.1.conv0.pointwise.weight`."""
    *where, kind = name.split("/")
    if where == ["fc"]:
        return f"heads.expression.linear.{'bias' if kind == 'bias' else 'weight'}"
    block, conv = where
    stage = f"branches.face.features.blocks.{block.removeprefix('dense')}.{conv}"
    if where == ["dense0", "conv0"]:
        return f"{stage}.{'bias' if kind == 'bias' else 'weight'}"
    # a separable convolution has one bias, added at its end
    return f"{stage}.pointwise.bias" if kind == "bias" else f"{stage}.{kind.removesuffix('_filter')}.weight"
