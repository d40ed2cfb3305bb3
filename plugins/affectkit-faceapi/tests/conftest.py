"""Real weights and pictures lie beside the project, where there are any. One thread: the networks here are small."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[4] / "shared"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the real files, whose weights are then found without a network; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: weights and pictures are not shipped with the plugin")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    return SHARED
