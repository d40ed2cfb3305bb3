"""Shared fixtures. One thread per process: on a small busy machine torch's barriers cost more than they bring."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks the network fails the test."""

    def ask(*args: object, **options: object) -> None:
        raise AssertionError("asks the network")

    monkeypatch.setattr("socket.getaddrinfo", ask)


@pytest.fixture
def shared() -> Path:
    """The folder of real clips and weights that lies beside the project; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}: real clips and weights are not shipped with the project")
    return SHARED


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small saved model."""
    from affectkit.artifact import save
    from tests.artifacts import build, stored

    return save(build(stored()), tmp_path / "model")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
