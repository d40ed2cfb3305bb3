"""The preset on real videos, from file to table."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("mediapipe", reason="runs in the environment of `make test-mediapipe`")

import torch
from affectkit_mediapipe.au_proxies import PROXIES
from affectkit_mediapipe.blendshape_head import TARGETS
from affectkit_mediapipe.bundle import BUNDLE

import affectkit
from affectkit import read_results
from affectkit.cli import main

COLUMNS = [*(f"blendshapes.{name}" for name in TARGETS), *(f"au_proxies.{name}" for name in PROXIES)]


def test_a_video_becomes_a_table(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    clip = shared / "media" / "face_noface.mov"
    assert (
        main(["analyze", str(clip), "--pipeline", "mediapipe-au-proxies", "--faces", "yunet", "--out", str(out)]) == 0
    )
    results = read_results(out)
    assert len({row.frame for row in results}) == 169
    with_face = [row for row in results if row.status == "ok"]
    assert len(with_face) > 60
    assert {row.status for row in results} == {"ok", "no_face"}
    for row in results:
        assert list(row.predictions) == (COLUMNS if row in with_face else [])
    assert all(row.predictions["blendshapes.found"] == 1 for row in with_face)
    # he smiles until he leaves
    smiles = sorted(row.predictions["au_proxies.AU12_proxy"] for row in with_face)
    assert smiles[len(smiles) // 2] > 0.5


@pytest.mark.parametrize("name", ["single_face.mp4", "noface_face.mov"])
def test_with_the_detector_of_the_same_file(name: str, shared: Path) -> None:
    results = affectkit.analyze(
        shared / "media" / name, "mediapipe-au-proxies", faces="mediapipe-face", start=0.0, stop=None
    )
    rows = [row for row in results if row.status == "ok"]
    assert len(rows) > 60
    found = [row.predictions["blendshapes.found"] for row in rows]
    assert sum(found) / len(found) > 0.95


def test_a_saved_model_holds_the_file(shared: Path, tmp_path: Path) -> None:
    model = affectkit.from_pretrained("mediapipe-au-proxies")
    loaded = affectkit.load(affectkit.save(model, tmp_path / "mine"))
    assert [(item["sha256"], item["license"]) for item in loaded.provenance] == [(BUNDLE.sha256, "Apache-2.0")]
    clip = torch.rand(1, 1, 3, 256, 256)
    for name, scores in model.predict(clip).items():
        assert torch.equal(loaded.predict(clip)[name], scores)
