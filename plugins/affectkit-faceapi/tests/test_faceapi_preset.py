"""The preset: what it accepts, what it fetches, and what the real network says of real faces."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from affectkit_faceapi import FaceAPIBackboneConfig
from affectkit_faceapi.expression import MANIFEST, SHARD, TARGETS, make_expression

import affectkit
from affectkit import Frames, FrameStream, StreamError, WeightsError
from affectkit.data.labels import BASIC_7


def test_it_scores_seven_expressions_of_every_frame() -> None:
    config = make_expression()
    trace = config.trace()
    assert [step.path for step in trace] == ["branches.face.features", "heads.expression"]
    output = trace.outputs["expression"]
    assert (output.problem, output.resolution, output.targets) == ("multiclass", "frame", TARGETS)
    assert set(TARGETS) == set(BASIC_7)
    assert config.sampling == Frames()


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (FrameStream(height=112, width=96), "size 112x96 is not accepted; accepts 112x112"),
        (
            FrameStream(height=112, width=112, channels=("gray",)),
            "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')",
        ),
        (FrameStream(height=112, width=112, unit="relative"), "unit 'relative' is not accepted; accepts 'intensity'"),
    ],
)
def test_what_the_backbone_refuses(stream: FrameStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        FaceAPIBackboneConfig().output(stream)
    assert str(caught.value) == message


@pytest.mark.parametrize("missing", [SHARD, MANIFEST], ids=lambda weights: weights.name)
def test_weights_that_cannot_be_had(
    missing: affectkit.Weights, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (shared / "weights").glob("face_expression_model-*"):
        if not missing.url.endswith(path.name):
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))

    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(WeightsError) as caught:
        affectkit.from_pretrained("affectkit-faceapi/expression")
    assert str(caught.value) == (
        f"{missing.url}: download failed (no network in tests); "
        "put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    )


def test_smiling_people_are_seen_as_happy(shared: Path) -> None:
    model = affectkit.from_pretrained("expression")
    for name, count in (("multi_face.jpg", 5), ("single_face.jpg", 1)):
        crops = cut_faces(shared, name)
        assert len(crops) == count
        predictions = model.predict(crops.unsqueeze(1))["expression"][:, 0]
        assert predictions[:, TARGETS.index("happiness")].min() > 0.95, name


def test_a_saved_model_knows_where_its_weights_are_from(shared: Path, tmp_path: Path) -> None:
    model = affectkit.from_pretrained("expression")
    folder = affectkit.save(model, tmp_path / "mine")
    face = torch.rand(1, 1, 3, 112, 112)
    loaded = affectkit.load(folder)
    assert torch.equal(loaded(face)["expression"], model(face)["expression"])
    assert [(item["sha256"], item["license"]) for item in loaded.provenance] == [
        (weights.sha256, "MIT") for weights in (SHARD, MANIFEST)
    ]
    assert f"- face-expression-shard: {SHARD.url}, license MIT" in (folder / "README.md").read_text()


def cut_faces(shared: Path, name: str) -> torch.Tensor:
    """Boxes of YuNet, stretched to `(N, 3, 112, 112)`."""
    import cv2

    picture: Any = cv2.imread(str(shared / "media" / name))
    detector: Any = cv2.FaceDetectorYN.create(
        str(shared / "weights" / "face_detection_yunet_2023mar.onnx"), "", (320, 320)
    )
    detector.setInputSize(picture.shape[1::-1])
    crops = []
    for left, top, width, height in detector.detect(picture)[1][:, :4].round().astype(int):
        crop = cv2.resize(picture[top : top + height, left : left + width, ::-1], (112, 112))
        crops.append(torch.from_numpy(crop).permute(2, 0, 1) / 255)
    return torch.stack(crops)
