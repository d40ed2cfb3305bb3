"""Reads the published file into the state of `mediapipe-blendshapes`, alone or within the preset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affectkit_mediapipe.bundle import BUNDLE
from affectkit_mediapipe.presets import FEATURES_PATH


def load_state(path: Path) -> dict[str, Tensor]:
    """State dict of the module: `bundle`, the bytes of the file, uint8 `(3758596,)`."""
    return {"bundle": torch.from_numpy(np.fromfile(path, dtype=np.uint8))}


def load_preset_state(files: Mapping[str, Path]) -> dict[str, Tensor]:
    """State dict of the preset, from the file by the name of its record."""
    return {f"{FEATURES_PATH}.{key}": tensor for key, tensor in load_state(files[BUNDLE.name]).items()}
