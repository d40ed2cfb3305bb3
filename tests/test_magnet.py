"""`magnet`: the network by its slow twin, the published weights, what they do, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit import (
    Branch,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    MagNetConfig,
    PipelineConfig,
    Sequence,
    apply_motion,
    load_weights,
)
from affectkit.errors import ArtifactError, ConfigError, InputError, SpecError, StreamError, WeightsError
from affectkit.motion.magnet import SPEC, WEIGHTS
from affectkit.motion.magnet_net import MagNet
from affectkit.motion.magnet_ref import magnet_ref
from affectkit.motion.magnet_weights import load_state
from affectkit.ops.clg import clg
from affectkit.published import load_published
from affectkit.registry import Component, default_registry
from affectkit.specs import MotionSpec
from affectkit.testing.examples import span

STREAM = FrameStream(height=16, width=20)


def build(stream: FrameStream = STREAM, **options: Any) -> MagNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MagNet(MagNetConfig(**options), stream).eval()


def published(shared: Path, monkeypatch: pytest.MonkeyPatch, stream: FrameStream, **options: Any) -> MagNet:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    module = build(stream, **options)
    load_published(module, default_registry().component("motion", "magnet"), WEIGHTS, "motion")
    return module


def frames(count: int = 3, height: int = 16, width: int = 20, *, dtype: torch.dtype = torch.float32) -> Tensor:
    make = torch.Generator().manual_seed(0)
    return torch.rand(1, count, 3, height, width, generator=make, dtype=dtype)


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_it_is_its_slow_twin(alpha: float) -> None:
    module, given = build(alpha=alpha).double(), frames(dtype=torch.float64)
    state = module.state_dict()
    made = module(Sequence.of(given)).values[0]
    for t in range(3):
        expected = magnet_ref(state, given[0, 0], given[0, t], alpha)
        assert 0 < expected.min() < expected.max() < 1
        torch.testing.assert_close(made[t], expected)


def test_gradients_are_those_of_the_slow_twin() -> None:
    module, given = build(frozen=False).double(), frames(2, 8, 8, dtype=torch.float64).requires_grad_()
    module.config = MagNetConfig(alpha=4.0, frozen=False)
    parameters = dict(module.named_parameters())
    weights = torch.linspace(-1, 1, 3 * 8 * 8, dtype=torch.float64).reshape(3, 8, 8)
    fast = (weights * module(Sequence.of(given)).values[0, 1]).sum()
    slow = (weights * magnet_ref(parameters, given[0, 0], given[0, 1], 4.0)).sum()
    inputs = [given, *parameters.values()]
    for one, two in zip(torch.autograd.grad(fast, inputs), torch.autograd.grad(slow, inputs), strict=True):
        torch.testing.assert_close(one, two)


def test_the_published_weights_fit(shared: Path) -> None:
    state = load_state(shared / "weights" / "magnet.pth")
    own = build().state_dict()
    assert {name: tensor.shape for name, tensor in state.items()} == {name: part.shape for name, part in own.items()}
    assert sum(tensor.numel() for tensor in own.values()) == 918_928
    # keys of every part, by the table of `magnet_weights`
    stored = torch.load(shared / "weights" / "magnet.pth", weights_only=True)
    for theirs, ours in (
        ("encoder.cba_2.conv2d.weight", "encoder.second.weight"),
        ("encoder.resblks.2.cba_1.conv2d.weight", "encoder.common.2.first.weight"),
        ("encoder.texture_resblks.1.cba_2.conv2d.weight", "encoder.texture_blocks.1.second.weight"),
        ("encoder.motion_resblks.0.cba_1.conv2d.weight", "encoder.shape_blocks.0.first.weight"),
        ("manipulator.h_resblk.cba_2.conv2d.weight", "manipulator.h_block.second.weight"),
        ("decoder.texture_up.conv2d.weight", "decoder.texture.weight"),
        ("decoder.resblks.8.cba_2.conv2d.weight", "decoder.blocks.8.second.weight"),
        ("decoder.cba_1.conv2d.weight", "decoder.first.weight"),
    ):
        assert torch.equal(stored[theirs], state[ours])


def photograph(shared: Path, moved: float) -> Tensor:
    """`(3, 160, 160)` in 8 bits, moved to the right, pixels."""
    picture = cv2.imread(str(shared / "media" / "multi_face.jpg"))
    assert picture is not None
    fine = cv2.GaussianBlur(cv2.resize(picture[60:508, 380:828], (1280, 1280)), (0, 0), 4).astype(np.float32)
    shift = np.array([[1, 0, 8 * moved], [0, 1, 0]])
    fine = cv2.warpAffine(fine, shift, (1280, 1280), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(fine, (160, 160), interpolation=cv2.INTER_AREA)[..., ::-1].round()
    return torch.from_numpy(small.copy()).movedim(-1, 0) / 255


@pytest.mark.parametrize("alpha", [8.0, 4.0])
def test_with_them_motion_is_alpha_times_as_large(shared: Path, monkeypatch: pytest.MonkeyPatch, alpha: float) -> None:
    moved = 1.6 / alpha
    given = torch.stack([photograph(shared, 0.0), photograph(shared, moved)])
    module = published(shared, monkeypatch, FrameStream(height=160, width=160), alpha=alpha)
    with torch.no_grad():
        made = module(Sequence.of(given[None])).values[0]
    # the first frame as it was, in place: weights that halve at even places would be a pixel off, an error of 0.04
    assert (made[0] - given[0]).abs().mean() < 0.01
    gray = made.mean(dim=1)
    flow = clg(gray[:1], gray[1:], window=5.0)[0, 0, 16:-16, 16:-16]
    assert float(flow.median()) / moved == pytest.approx(alpha, rel=0.15)


def test_first_and_previous() -> None:
    given = frames(4, dtype=torch.float64)
    state = build().double().state_dict()
    for reference, before in (("first", (0, 0, 0, 0)), ("previous", (0, 0, 1, 2))):
        made = build(reference=reference, alpha=3.0).double()(Sequence.of(given)).values[0]
        for t, other in enumerate(before):
            torch.testing.assert_close(made[t], magnet_ref(state, given[0, other], given[0, t], 3.0))


@pytest.mark.parametrize("reference", ["first", "previous"])
def test_pieces_of_a_clip_are_the_clip(reference: str) -> None:
    clip = Sequence.of(frames(6), mask=torch.tensor([[False, True, True, False, True, True]]))
    module = build(reference=reference)
    state, made = None, []
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        piece, state = module.step(span(clip, start, stop), state)
        made.append(piece.values)
    whole = module(clip)
    torch.testing.assert_close(torch.cat(made, dim=1), whole.values)
    assert not whole.values[0, 3].any()


@pytest.mark.parametrize(("height", "width"), [(9, 13), (8, 8), (11, 16)])
def test_sides_of_any_length(height: int, width: int) -> None:
    stream = FrameStream(height=height, width=width)
    given = frames(2, height, width)
    made = build(stream)(Sequence.of(given)).values
    assert made.shape == given.shape
    padded = torch.nn.functional.pad(given[0], (0, -width % 4, 0, -height % 4), mode="replicate")
    expected = magnet_ref(build().state_dict(), padded[0], padded[1], 8.0)[:, :height, :width]
    torch.testing.assert_close(made[0, 1], expected, rtol=0, atol=1e-5)


def test_frozen_or_not() -> None:
    assert MagNetConfig().is_frozen
    assert not any(part.requires_grad for part in build().parameters())
    assert not MagNetConfig(frozen=False).is_frozen
    assert all(part.requires_grad for part in build(frozen=False).parameters())


def test_in_a_pipeline(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    model = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"large": Branch(motion=(MagNetConfig(),), features=ConvStemConfig(dim=8, width=4))},
        heads={"expression": ExpressionConfig()},
    ).build()
    assert load_weights(model, "branches.large.motion[0]") == WEIGHTS
    assert [item["name"] for item in model.provenance] == ["oh2018"]
    stored = torch.load(shared / "weights" / "magnet.pth", weights_only=True)
    own = model.state_dict()["branches.large.motion.0.decoder.second.weight"]
    assert torch.equal(own, stored["decoder.cba_2.conv2d.weight"])
    model.set_dials({"branches.large.motion[0].alpha": 2.0})


def refused(call: Any, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_what_is_refused() -> None:
    assert refused(lambda: MagNetConfig(alpha=0), ConfigError) == (
        "alpha: 0.0 is no magnification factor; write more than 0; 1 changes nothing"
    )
    gray = replace(STREAM, channels=("gray",))
    assert refused(lambda: MagNetConfig().output(gray), StreamError) == (
        "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')"
    )
    assert refused(lambda: MagNetConfig().output(replace(STREAM, height=7)), StreamError) == (
        "height 7 is too small; give frames of at least 8 pixels"
    )
    given = frames()
    given[0, 1, 2, 3, 3] = float("inf")
    assert refused(lambda: build()(Sequence.of(given)), InputError) == (
        "magnet: inf in item 0 of the batch, frame 1; give finite values, or mask False for what is no real frame"
    )
    assert refused(lambda: apply_motion(MagNetConfig(), frames(), STREAM), InputError) == (
        "motion[0]: affectkit/magnet has weights, which a config does not hold; "
        "put it into a pipeline, build that and load them"
    )


def test_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))

    def unreachable(*args: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    component = default_registry().component("motion", "magnet")
    assert refused(lambda: load_published(build(), component, WEIGHTS, "motion"), WeightsError) == (
        f"{WEIGHTS.url}: download failed (no route to host); "
        "put the file into a folder and name that in AFFECTKIT_WEIGHTS"
    )


def test_files_that_hold_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "magnet.pth"
    path.write_bytes(b"not a file of weights")
    assert refused(lambda: load_state(path), ArtifactError) == f"{path}: is no file of weights; get it again"
    torch.save([1, 2], path)
    assert refused(lambda: load_state(path), ArtifactError) == (
        f"{path}: holds list, which is no mapping of tensors; get it again"
    )
    monkeypatch.setattr("affectkit.published.fetch_weights", lambda *_: path)

    def load(loader: Any) -> None:
        spec: MotionSpec[MagNetConfig] = replace(SPEC, loader=loader)
        load_published(build(), Component(provider="toy", version="1", spec=spec), WEIGHTS, "motion[0]")

    assert refused(lambda: load(lambda _: [1]), SpecError) == (
        "toy/magnet: its loader made list, which is no mapping of tensors; "
        "return tensors by the module's state-dict keys"
    )
    few = {name: tensor for name, tensor in build().state_dict().items() if name != "manipulator.g.weight"}
    assert refused(lambda: load(lambda _: few), ArtifactError) == (
        "toy/magnet: what its loader made does not fit the model: missing keys: 'manipulator.g.weight'"
    )
