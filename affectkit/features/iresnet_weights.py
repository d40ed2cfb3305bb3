"""Loads checkpoints of ArcFace's public code (insightface, `arcface_torch`) into `iresnet`.

| stored | here |
|---|---|
| `conv1`, `bn1`, `prelu` | `stem` |
| `layer1.0` to `layer4.n` | `stages.0.0` to `stages.3.n` |
| in blocks, `bn1`, `conv1`, `bn2`, `prelu`, `conv2`, `bn3` | `residual.0` to `residual.5` |
| in blocks, `downsample.0`, `downsample.1` | `shortcut.convolution`, `shortcut.norm` |
| `bn2`, `fc`, `features` | `norm`, `project`, `feature_norm` |
"""

from __future__ import annotations

import os

from affectkit.features.iresnet import SIZES, IResNetConfig
from affectkit.features.iresnet_net import IResNet
from affectkit.features.public_weights import PublicNames, load_public_weights

_BLOCK = {
    **{name: f"residual.{i}" for i, name in enumerate(("bn1", "conv1", "bn2", "prelu", "conv2", "bn3"))},
    "downsample.0": "shortcut.convolution",
    "downsample.1": "shortcut.norm",
}


def load_iresnet_weights(encoder: IResNet, path: str | os.PathLike[str]) -> None:
    """Copy a local safetensors state dict of the public code into a built encoder of the same size.

    The published ones fit faces of 112x112 pixels, aligned by `alignment="arcface"`.

    Raises:
        WeightsError: no such file, not safetensors, names that are unknown or missing, or other shapes; nothing was
            copied then.
    """
    load_public_weights(encoder.network, path, public_names(encoder.config), f"iresnet {encoder.config.size}")


def public_names(config: IResNetConfig) -> PublicNames:
    """The public code's names for the parts of a size."""
    parts = {"conv1": "stem.0", "bn1": "stem.1", "prelu": "stem.2"}
    for stage, depth in enumerate(SIZES[config.size].depths):
        for block in range(depth):
            for public, own in _BLOCK.items():
                parts[f"layer{stage + 1}.{block}.{public}"] = f"stages.{stage}.{block}.{own}"
    return PublicNames({**parts, "bn2": "norm", "fc": "project", "features": "feature_norm"})
