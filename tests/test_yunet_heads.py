"""One head per grid says what the four of the file say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from affectkit.faces.onnx_sizes import with_free_size
from affectkit.faces.yunet_detector import sigmoid
from affectkit.faces.yunet_heads import CHANNELS, HEADS, with_joined_heads


@pytest.mark.parametrize("order", ["joined first", "freed first"])
def test_joined_heads_compute_the_same(shared: Path, order: str) -> None:
    model = (shared / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes()
    joined = (
        with_free_size(with_joined_heads(model))
        if order == "joined first"
        else with_joined_heads(with_free_size(model))
    )
    blob = np.random.default_rng(0).uniform(0, 255, (1, 3, 96, 160)).astype(np.float32)
    one, other = (
        onnxruntime.InferenceSession(each, providers=["CPUExecutionProvider"])
        for each in (with_free_size(model), joined)
    )
    for stride, output in zip((8, 16, 32), other.run(None, {"input": blob}), strict=True):
        assert output.shape == (1, CHANNELS, 96 // stride, 160 // stride)
        cells = output.reshape(CHANNELS, -1).T
        heads = np.split(cells, np.cumsum([*HEADS.values()])[:-1], axis=1)
        expected = one.run([f"{name}_{stride}" for name in HEADS], {"input": blob})
        for name, head, values in zip(HEADS, heads, expected, strict=True):
            found = sigmoid(head) if name in ("cls", "obj") else head
            assert np.abs(found - values[0]).max() < 1e-5


def test_only_what_is_needed_stays(shared: Path) -> None:
    model = (shared / "weights" / "face_detection_yunet_2023mar.onnx").read_bytes()
    joined = with_joined_heads(model)
    assert len(joined) < len(model)
    assert b"multi_level_kps" in joined
    assert b"multi_level_cls" not in joined
    assert b"Sigmoid" not in joined


def test_sigmoid() -> None:
    values = sigmoid(np.array([-1000, 0, 1000], np.float32))
    assert values.tolist() == [0, 0.5, 1]
    assert values.dtype == np.float32
