"""The network, with its weights read from a shard, against a plain version of the same sums in TensorFlow's layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affectkit_faceapi.backbone import FaceAPIBackboneConfig
from affectkit_faceapi.backbone_net import MEAN, WIDTHS, FaceAPIBackbone, HalvingConv
from affectkit_faceapi.expression import make_expression
from affectkit_faceapi.weights import load_state
from torch import Tensor
from torch.nn import functional

from affectkit import FrameStream, Model, Sequence

Tensors = dict[str, Tensor]


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes as the manifest lists them."""
    found: dict[str, tuple[int, ...]] = {}
    for block in range(4):
        for conv in range(4):
            name, width = f"dense{block}/conv{conv}", WIDTHS[block + 1]
            channels = WIDTHS[block] if conv == 0 else width
            if (block, conv) == (0, 0):
                found[f"{name}/filters"] = (3, 3, channels, width)
            else:
                found[f"{name}/depthwise_filter"] = (3, 3, channels, 1)
                found[f"{name}/pointwise_filter"] = (1, 1, channels, width)
            found[f"{name}/bias"] = (width,)
    return found | {"fc/weights": (WIDTHS[-1], 7), "fc/bias": (7,)}


@pytest.fixture
def stored(tmp_path: Path) -> tuple[dict[str, Path], Tensors]:
    """A shard and a manifest with made-up values, and these values by name."""
    rng = np.random.default_rng(0)
    entries: list[dict[str, Any]] = []
    shard, values = b"", {}
    for name, shape in shapes().items():
        entries.append({"name": name, "shape": shape, "dtype": "float32"})
        if name.endswith("bias"):
            exact = rng.normal(0, 0.1, shape).astype(np.float32)
            shard += exact.tobytes()
        else:
            scale = 4 / np.prod(shape[:3]) ** 0.5 / 255
            code = rng.integers(0, 256, shape, dtype=np.uint8)
            entries[-1]["quantization"] = {"dtype": "uint8", "scale": scale, "min": -scale * 127}
            exact = (code * scale - scale * 127).astype(np.float32)
            shard += code.tobytes()
        values[name] = torch.from_numpy(exact)
    files = {"face-expression-shard": tmp_path / "shard", "face-expression-manifest": tmp_path / "manifest.json"}
    files["face-expression-shard"].write_bytes(shard)
    files["face-expression-manifest"].write_text(json.dumps([{"weights": entries, "paths": ["shard"]}]))
    return files, values


def same_conv(x: Tensor, filters: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's convolution with padding `same` for even sizes; filters `(H, W, in / groups, out)`."""
    before, after = (0, 1) if stride == 2 else (1, 1)
    padded = functional.pad(x, (before, after, before, after))
    return functional.conv2d(padded, filters.permute(3, 2, 0, 1), stride=stride, groups=groups)


def scores_ref(values: Mapping[str, Tensor], frames: Tensor) -> Tensor:
    """Logits `(N, 7)` of frames `(N, 3, 112, 112)` in [0, 1], term by term."""

    def separable(x: Tensor, name: str, stride: int) -> Tensor:
        filtered = same_conv(x, values[f"{name}/depthwise_filter"].transpose(2, 3), stride, groups=x.shape[1])
        mixed = torch.einsum("nchw,co->nohw", filtered, values[f"{name}/pointwise_filter"][0, 0])
        return mixed + values[f"{name}/bias"][:, None, None]

    x = (frames * 255 - torch.tensor(MEAN)[:, None, None]) / 255
    for block in range(4):
        name = f"dense{block}"
        if block == 0:
            out1 = same_conv(x, values["dense0/conv0/filters"], 2) + values["dense0/conv0/bias"][:, None, None]
        else:
            out1 = separable(x, f"{name}/conv0", 2)
        out1 = out1.relu()
        out2 = separable(out1, f"{name}/conv1", 1)
        out3 = separable((out1 + out2).relu(), f"{name}/conv2", 1)
        out4 = separable((out1 + out2 + out3).relu(), f"{name}/conv3", 1)
        x = (out1 + out2 + out3 + out4).relu()
    pooled = functional.avg_pool2d(x, 7, 2).flatten(1)
    return pooled @ values["fc/weights"] + values["fc/bias"]


def build(state: Tensors) -> Model:
    model = make_expression().build().eval()
    model.load_state_dict(state)
    return model


def test_the_network_is_the_reference(stored: tuple[dict[str, Path], Tensors]) -> None:
    files, values = stored
    frames = torch.rand(3, 2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = build(load_state(files))(frames)["expression"]
        wanted = scores_ref(values, frames.flatten(0, 1)).view(3, 2, 7)
    assert wanted.std() > 0.01
    torch.testing.assert_close(scores, wanted, rtol=1e-4, atol=1e-4)


def test_all_that_is_stored_is_read(stored: tuple[dict[str, Path], Tensors]) -> None:
    state = load_state(stored[0])
    assert len(state) == len(stored[1])
    assert all(tensor.dtype == torch.float32 and tensor.is_contiguous() for tensor in state.values())
    assert sum(tensor.numel() for tensor in state.values()) == sum(
        p.numel() for p in make_expression().build().parameters()
    )


def test_a_halving_convolution_looks_right_and_down() -> None:
    conv = HalvingConv(1, 1, bias=False)
    with torch.no_grad():
        for row in range(3):
            for column in range(3):
                conv.weight.zero_()
                conv.weight[0, 0, row, column] = 1
                picture = torch.arange(1.0, 17.0).view(1, 1, 4, 4)
                wanted = functional.pad(picture, (0, 1, 0, 1))[..., row::2, column::2][..., :2, :2]
                assert torch.equal(conv(picture), wanted)


def test_training_mode_and_gradients_give_the_same_numbers() -> None:
    torch.manual_seed(0)
    backbone = FaceAPIBackbone(FaceAPIBackboneConfig(), FrameStream(height=112, width=112))
    clip = Sequence.of(torch.rand(1, 2, 3, 112, 112))
    trained = backbone(clip).values
    trained.sum().backward()
    with torch.no_grad():
        assert torch.equal(trained.detach(), backbone.eval()(clip).values)
