"""The plugin is importable without being installed, since what holds without MediaPipe is tested where there is none.

The published file and clips lie beside the project, where there are any.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

PLUGIN = Path(__file__).resolve().parents[1]
SHARED = PLUGIN.parents[2] / "shared"
sys.path.insert(0, str(PLUGIN))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    if SHARED.is_dir():
        monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))


@pytest.fixture
def shared() -> Path:
    """Folder of the real files; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: the published file and clips are not shipped with the plugin")
    return SHARED
