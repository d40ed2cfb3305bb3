"""ResNet, ViT and MA-Net: published sizes, padding, what is frozen, one step of training, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from affectkit_compound import MANetConfig, ResNetConfig, ViTConfig
from affectkit_compound.manet_net import MANet
from affectkit_compound.member import MemberConfig, SizeName
from affectkit_compound.timm_member_net import TimmMember
from torch import Tensor
from torch.nn import functional

from affectkit import FeatureStream, FrameStream, Sequence, StreamError
from affectkit.features.frame_network import FrameNetwork

CONFIGS: dict[str, type[MemberConfig]] = {"resnet": ResNetConfig, "vit": ViTConfig, "manet": MANetConfig}
SMALL, PUBLISHED = FrameStream(height=112, width=112), FrameStream(height=224, width=224)
NAMES = list(CONFIGS)
every_member = pytest.mark.parametrize("name", NAMES)


def network(name: str, size: SizeName = "small", **options: Any) -> FrameNetwork[Any]:
    torch.manual_seed(0)
    config: Any = CONFIGS[name](size=size, **options)
    stream = SMALL if size == "small" else PUBLISHED
    return MANet(config, stream) if name == "manet" else TimmMember(config, stream)


def clip(batch: int = 2, steps: int = 2, side: int = 112) -> Tensor:
    return torch.rand(batch, steps, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "size", "dim", "parameters"),
    [
        ("resnet", "small", 192, 130_048),
        ("vit", "small", 96, 516_684),
        ("manet", "small", 128, 504_368),
        ("resnet", "published", 2048, 23_508_032),
        ("vit", "published", 768, 85_798_656),
        ("manet", "published", 1024, 50_540_032),
    ],
)
def test_sizes(name: str, size: SizeName, dim: int, parameters: int) -> None:
    with torch.device("meta"), torch.no_grad():
        module = network(name, size).eval()
        side = 112 if size == "small" else 224
        assert module.network(torch.zeros(1, 3, side, side)).shape == (1, dim)
    assert module.config.output(SMALL if size == "small" else PUBLISHED) == FeatureStream(dim=dim)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters


@every_member
def test_padding_is_zero_and_never_shows(name: str) -> None:
    values, mask = clip(), torch.tensor([[True, True], [True, False]])
    module = network(name).eval()
    clean = module(Sequence.of(values)).values
    values[~mask] = float("nan")
    output = module(Sequence.of(values, mask=mask)).values
    torch.testing.assert_close(output[mask], clean[mask])
    assert not output[~mask].any()


@every_member
@pytest.mark.parametrize("real", [[[True, True], [True, False]], [[False, False], [False, False]]])
def test_nothing_is_learned_from_padding(name: str, real: list[list[bool]]) -> None:
    values, mask, module = clip(), torch.tensor(real), network(name).train()
    values[~mask] = float("nan")
    values.requires_grad_()
    torch.autograd.backward(module(Sequence.of(values, mask=mask)).values.square().sum())
    # where nothing is real, the faces have no part in it
    assert (values.grad is not None) == bool(mask.any())
    assert values.grad is None or not values.grad[~mask].any()
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    assert all(buffer.isfinite().all() for buffer in module.buffers())


@every_member
def test_everything_learns(name: str) -> None:
    module = network(name).train()
    if name == "resnet":
        # timm begins with blocks that are their shortcuts alone, whose inner weights learn from the second step on
        for norm in (m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            torch.nn.init.ones_(norm.weight)
    torch.autograd.backward((module(Sequence.of(clip())).values * torch.randn(2, 2, module.dim)).sum())
    assert [key for key, value in module.named_parameters() if value.grad is None or not value.grad.any()] == []


@every_member
def test_frozen_keeps_weights_and_statistics(name: str) -> None:
    module = network(name, frozen=True).train()
    assert module.config.is_frozen
    before = {key: value.clone() for key, value in module.state_dict().items()}
    values = clip().requires_grad_()
    torch.autograd.backward(module(Sequence.of(values)).values.square().sum())
    assert values.grad is not None
    assert values.grad.any()
    assert all(parameter.grad is None for parameter in module.parameters())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.slow
@every_member
def test_a_published_size_learns(name: str) -> None:
    module = network(name, "published").train()
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)
    faces, wanted = clip(1, 4, 224), torch.randn(1, 4, module.dim, generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = functional.mse_loss(module(Sequence.of(faces)).values, wanted)
        torch.autograd.backward(loss)
        assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@every_member
@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (FrameStream(height=64, width=64), "size 64x64 is not accepted; accepts 224x224"),
        (FrameStream(height=224, width=112), "size 224x112 is not accepted; accepts 224x224"),
        (
            FrameStream(height=224, width=224, channels=("gray",)),
            "channels ('gray',) are not accepted; accepts ('r', 'g', 'b')",
        ),
        (FrameStream(height=224, width=224, unit="relative"), "unit 'relative' is not accepted; accepts 'intensity'"),
    ],
)
def test_what_they_refuse(name: str, stream: FrameStream, message: str) -> None:
    with pytest.raises(StreamError) as caught:
        CONFIGS[name]().output(stream)
    assert str(caught.value) == message
