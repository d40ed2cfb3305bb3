"""Residual networks for faces: published sizes, what they compute, public names, padding, freezing, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from affectkit.errors import ConfigError, StreamError, WeightsError
from affectkit.features.iresnet import SIZES, SPEC, IResNetConfig, SizeName
from affectkit.features.iresnet_net import FeatureNorm, IResNet
from affectkit.features.iresnet_weights import load_iresnet_weights, public_names
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream

FACE = FrameStream(height=112, width=112, alignment="arcface")
CUT = FrameStream(height=32, width=48)
# in millions 24.0, 34.1, 43.6, 65.2
PUBLISHED: dict[SizeName, int] = {"18": 24_025_600, "34": 34_139_328, "50": 43_590_848, "100": 65_156_160}


def clip(batch: int = 2, steps: int = 3) -> Tensor:
    return torch.rand(batch, steps, 3, 32, 48, generator=torch.Generator().manual_seed(0))


def encoder(config: IResNetConfig | None = None, stream: FrameStream = CUT) -> IResNet:
    torch.manual_seed(0)
    return IResNet(config or IResNetConfig(size="small"), stream)


def public_state(module: IResNet) -> dict[str, Tensor]:
    """The state dict of the encoder's network under the names of the public code."""
    names = public_names(module.config)
    return {names.theirs(key): value.clone() for key, value in module.network.state_dict().items()}


def scatter(module: IResNet) -> IResNet:
    """Every weight and statistic at random, so that none of them can be left out or exchanged unseen."""
    make = torch.Generator().manual_seed(2)
    for tensor in module.network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape, generator=make))
    return module


def features_ref(state: Mapping[str, Tensor], faces: Tensor) -> Tensor:
    """Features of faces `(N, 3, H, W)` in [0, 1], layer by layer, from a state dict with public names."""

    def norm(x: Tensor, name: str) -> Tensor:
        shape = (-1, *(1,) * (x.ndim - 2))
        mean, variance, weight, bias = (
            state[f"{name}.{part}"].reshape(shape) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def prelu(x: Tensor, name: str) -> Tensor:
        return torch.where(x > 0, x, x * state[f"{name}.weight"].reshape(-1, 1, 1))

    def block(x: Tensor, name: str, stride: int) -> Tensor:
        y = functional.conv2d(norm(x, f"{name}.bn1"), state[f"{name}.conv1.weight"], padding=1)
        y = prelu(norm(y, f"{name}.bn2"), f"{name}.prelu")
        y = norm(functional.conv2d(y, state[f"{name}.conv2.weight"], stride=stride, padding=1), f"{name}.bn3")
        if f"{name}.downsample.0.weight" in state:
            x = functional.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride)
            x = norm(x, f"{name}.downsample.1")
        return x + y

    x = functional.conv2d(2 * faces - 1, state["conv1.weight"], padding=1)
    x = prelu(norm(x, "bn1"), "prelu")
    for stage in range(1, 5):
        blocks = sorted({int(key.split(".")[1]) for key in state if key.startswith(f"layer{stage}.")})
        for i in blocks:
            x = block(x, f"layer{stage}.{i}", 2 if i == 0 else 1)
    flat = norm(x, "bn2").flatten(1)
    return norm(flat @ state["fc.weight"].T + state["fc.bias"], "features")


@pytest.mark.parametrize("size", PUBLISHED)
def test_published_sizes_have_the_published_parameters(size: SizeName) -> None:
    with torch.device("meta"):
        module = IResNet(IResNetConfig(size=size), FACE)
        output = module.network(torch.zeros(2, 3, 112, 112))
    assert sum(parameter.numel() for parameter in module.parameters()) == PUBLISHED[size]
    assert output.shape == (2, 512)
    assert IResNetConfig(size=size).output(FACE) == FeatureStream(dim=512)


def test_the_network_is_the_reference_in_any_size() -> None:
    module = scatter(encoder()).eval()
    with torch.no_grad():
        found = module(Sequence.of(clip())).values
        wanted = features_ref(public_state(module), clip().flatten(0, 1)).view(2, 3, 64)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_deeper_network_is_the_reference_too() -> None:
    config = IResNetConfig(size="18")
    module = scatter(encoder(config)).eval()
    with torch.no_grad():
        wanted = features_ref(public_state(module), clip(1, 2).flatten(0, 1)).view(1, 2, 512)
        torch.testing.assert_close(module(Sequence.of(clip(1, 2))).values, wanted, rtol=1e-3, atol=1e-3)


def test_a_public_checkpoint_is_loaded_whole(tmp_path: Path) -> None:
    source, other = scatter(encoder()).eval(), encoder().eval()
    stored = public_state(source)
    assert {"conv1.weight", "layer4.0.downsample.1.bias", "fc.weight", "features.running_var"} <= stored.keys()
    # checkpoints before torch 0.4.1 have no counters
    save_file({key: value for key, value in stored.items() if "num_batches" not in key}, tmp_path / "r.safetensors")
    load_iresnet_weights(other, tmp_path / "r.safetensors")
    assert torch.equal(other(Sequence.of(clip())).values, source(Sequence.of(clip())).values)


def test_names_that_do_not_fit_are_named(tmp_path: Path) -> None:
    module, path = encoder(), tmp_path / "r.safetensors"
    stored = public_state(module)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    del stored["layer2.0.bn3.bias"]
    stored |= {"head.weight": torch.zeros(2), "fc.bias": torch.zeros(3)}
    save_file(stored, path)
    with pytest.raises(WeightsError) as caught:
        load_iresnet_weights(module, path)
    assert str(caught.value) == (
        f"{path}: does not fit 'iresnet small': missing 'layer2.0.bn3.bias'; unexpected 'head.weight'; "
        "fc.bias is (3,), the network's is (64,)"
    )
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "backbone.pth"
    with pytest.raises(WeightsError) as caught:
        load_iresnet_weights(encoder(), path)
    assert str(caught.value) == f"{path}: no such file; give a safetensors file of 'iresnet small'"
    path.write_bytes(b"PK")
    with pytest.raises(WeightsError) as caught:
        load_iresnet_weights(encoder(), path)
    fact, _, suggestion = str(caught.value).rpartition("; ")
    assert fact.startswith(f"{path}: not a safetensors file (")
    assert suggestion == f"run affectkit weights convert {path} {tmp_path / 'backbone.safetensors'}"
    path = tmp_path / "backbone.safetensors"
    save_file({"fc.bias": torch.zeros(3)}, path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(WeightsError) as caught:
        load_iresnet_weights(encoder(), path)
    cause = caught.value.__cause__
    assert str(caught.value) == f"{path}: not a safetensors file ({cause}); download it again"


def test_padding_is_zero_and_never_shows() -> None:
    values, mask = clip(), torch.tensor([[True, True, True], [True, False, False]])
    modules = encoder(), encoder()
    clean = modules[0](Sequence.of(values[mask].unsqueeze(0))).values[0]
    values[~mask] = float("nan")
    output = modules[1](Sequence.of(values, mask=mask)).values
    torch.testing.assert_close(output[mask], clean)
    assert not output[~mask].any()
    output.sum().backward()
    for name, parameter in modules[1].named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    for own, other in zip(modules[0].buffers(), modules[1].buffers(), strict=True):
        torch.testing.assert_close(own, other)


def test_a_batch_without_a_real_frame_is_zero_and_learns_nothing() -> None:
    module = encoder().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    output = module(Sequence.of(clip() * float("nan"), mask=torch.zeros(2, 3, dtype=torch.bool))).values
    assert output.shape == (2, 3, 64)
    assert not output.any()
    output.sum().backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in module.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_everything_learns_but_the_scale_of_the_feature() -> None:
    module = encoder().train()
    # not the plain sum: what is normalized over the batch sums to a constant
    (module(Sequence.of(clip())).values * torch.randn(2, 3, 64)).sum().backward()
    still = [
        name for name, parameter in module.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert still == ["network.feature_norm.weight"]


def test_frozen_keeps_weights_and_statistics() -> None:
    module = encoder(IResNetConfig(size="small", frozen=True)).train()
    assert module.config.is_frozen
    before = {key: value.clone() for key, value in module.state_dict().items()}
    values = clip().requires_grad_()
    module(Sequence.of(values)).values.sum().backward()
    assert values.grad is not None
    assert values.grad.any()
    assert all(parameter.grad is None for parameter in module.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_one_feature_alone_is_normalized_by_what_is_known() -> None:
    norm = FeatureNorm(4).train()
    norm.running_mean, norm.running_var = torch.full((4,), 2.0), torch.full((4,), 4.0)
    torch.testing.assert_close(norm(torch.full((1, 4), 4.0)), torch.ones(1, 4))
    assert norm.num_batches_tracked == 0
    assert norm(torch.tensor([[1.0], [3.0]]).expand(2, 4)).sum() == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", ["50", "100"])
def test_a_published_size_learns(size: SizeName) -> None:
    module = encoder(IResNetConfig(size=size), FACE).train()
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-2)
    faces, wanted = torch.rand(1, 4, 3, 112, 112), torch.randn(1, 4, 512)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = functional.mse_loss(module(Sequence.of(faces)).values, wanted)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (FrameStream(height=100, width=112), "height 100 is no multiple of 16; the next size that fits is 112"),
        (FrameStream(height=16, width=32), "height 16 is too small; give frames of at least 32 pixels"),
        (
            FrameStream(height=32, width=32, channels=("gray",)),
            "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')",
        ),
        (FrameStream(height=32, width=32, unit="relative"), "unit 'relative' is not accepted; accepts 'intensity'"),
    ],
)
def test_what_it_refuses(stream: FrameStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        IResNetConfig().output(stream)
    assert str(caught.value) == message


def test_what_the_config_refuses() -> None:
    assert SPEC.name == "iresnet"
    assert list(SIZES) == ["small", "18", "34", "50", "100"]
    with pytest.raises(ConfigError) as caught:
        IResNetConfig(dropout=1.0)
    assert str(caught.value) == "dropout: 1.0 is not in [0, 1); write 0 for none"
