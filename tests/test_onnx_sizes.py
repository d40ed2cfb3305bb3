"""A model that names one size takes any, and computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from affectkit.faces.onnx_sizes import with_free_size


@pytest.fixture
def model(shared: Path) -> bytes:
    return (shared / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes()


def session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_at_its_own_size_it_computes_the_same(model: bytes) -> None:
    blob = np.random.default_rng(0).uniform(0, 255, (1, 3, 640, 640)).astype(np.float32)
    before, after = (session(each).run(None, {"input": blob}) for each in (model, with_free_size(model)))
    assert len(before) == 12
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one, two)


def test_it_takes_other_sizes(model: bytes) -> None:
    freed = session(with_free_size(model))
    assert freed.get_inputs()[0].shape == [1, 3, "height", "width"]
    assert [item.name for item in freed.get_outputs()] == [item.name for item in session(model).get_outputs()]
    for height, width in ((32, 32), (384, 640), (96, 1024)):
        outputs = freed.run(["cls_8", "kps_32"], {"input": np.zeros((1, 3, height, width), np.float32)})
        assert [output.shape for output in outputs] == [(1, height * width // 64, 1), (1, height * width // 1024, 10)]


def test_twice_is_once(model: bytes) -> None:
    freed = with_free_size(model)
    assert with_free_size(freed) == freed
    assert len(freed) < len(model)
