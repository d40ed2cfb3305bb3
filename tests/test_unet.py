"""The U-Net of the magnifiers, and the encoding of their factor."""

from __future__ import annotations

import math

import pytest
import torch

from affectkit.errors import InputError
from affectkit.motion.unet_net import Norm, UNet, encode_alpha

NORMS: tuple[Norm, ...] = ("batch", "group", "none")


def build(norm: Norm = "none", *, width: int = 4, levels: int = 2) -> UNet:
    torch.manual_seed(0)
    return UNet(5, 2, width=width, levels=levels, norm=norm)


def maps(height: int = 9, width: int = 13, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 5, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (8, 8), (9, 13)])
def test_any_size_comes_out_as_it_went_in(norm: Norm, size: tuple[int, int]) -> None:
    output = build(norm).eval()(maps(*size))
    assert output.shape == (2, 2, *size)
    assert output.isfinite().all()


@pytest.mark.parametrize("levels", [0, 1, 3])
def test_widths_double_from_level_to_level(levels: int) -> None:
    unet = build(width=3, levels=levels)
    weights = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items() if name.endswith("weight")}
    assert weights["enter.0.weight"] == (3, 5, 3, 3)
    assert weights["leave.weight"] == (2, 3, 1, 1)
    for level in range(levels):
        after = 3 * 2 ** (level + 1)
        assert weights[f"down.{level}.0.weight"] == (after, after // 2, 3, 3)
        assert weights[f"down.{level}.2.weight"] == (after, after, 3, 3)
    assert len(weights) == 3 + 5 * levels


def test_a_padded_size_is_that_of_the_repeated_border() -> None:
    unet, small = build().eval(), maps(6, 7)
    rows, columns = torch.arange(8).clamp(max=5), torch.arange(8).clamp(max=6)
    torch.testing.assert_close(unet(small), unet(small[..., rows, :][..., columns])[..., :6, :7])


@pytest.mark.parametrize("norm", NORMS)
def test_every_parameter_gets_a_gradient(norm: Norm) -> None:
    unet = build(norm).train()
    given = maps().requires_grad_()
    unet(given).square().sum().backward()
    assert given.grad is not None
    assert given.grad.any()
    for name, parameter in unet.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("norm", NORMS)
def test_maps_of_a_batch_are_independent(norm: Norm) -> None:
    unet = build(norm).eval()
    torch.testing.assert_close(unet(maps())[1:], unet(maps()[1:]))


def test_the_signal_keeps_its_size_through_deep_nets_without_norm() -> None:
    with torch.no_grad():
        deviations = [build(levels=levels)(maps(32, 32)).std().item() for levels in (0, 4)]
    assert 0.2 < deviations[1] / deviations[0] < 5


def test_bfloat16_works() -> None:
    unet, given = build("group").eval(), maps()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(unet(given).float(), unet(given.bfloat16()).float(), atol=0.1, rtol=0.1)
    torch.testing.assert_close(unet.bfloat16()(given.bfloat16()).float(), build("group")(given), atol=0.1, rtol=0.1)


def test_alpha_is_encoded_by_the_equation() -> None:
    alpha = torch.tensor([1.0, 2.5, 16.0]).view(1, 1, 1, 3)
    encoded = encode_alpha(alpha)
    assert encoded.shape == (1, 32, 1, 3)
    for k in range(16):
        period = 2 ** (-3 + 10 * k / 15)
        for x, value in enumerate((1.0, 2.5, 16.0)):
            angle = 2 * math.pi * value / period
            assert encoded[0, k, 0, x].item() == pytest.approx(math.sin(angle), abs=1e-3)
            assert encoded[0, 16 + k, 0, x].item() == pytest.approx(math.cos(angle), abs=1e-3)


def test_alpha_is_encoded_per_pixel_and_in_single_precision() -> None:
    alpha = torch.rand(2, 1, 3, 4, generator=torch.Generator().manual_seed(0)) * 15 + 1
    encoded = encode_alpha(alpha)
    torch.testing.assert_close(encoded[1:, :, 2:, 3:], encode_alpha(alpha[1:, :, 2:, 3:]))
    assert encode_alpha(alpha.bfloat16()).dtype == torch.float32
    assert encode_alpha(alpha, 6).shape == (2, 6, 3, 4)


@pytest.mark.parametrize("channels", [0, 7])
def test_an_odd_encoding_is_refused(channels: int) -> None:
    with pytest.raises(InputError) as caught:
        encode_alpha(torch.ones(1, 1, 1, 1), channels)
    assert str(caught.value) == f"encode_alpha: {channels} channels; give an even number, 2 or more"
