"""Lucas-Kanade against its slow twin, and against displacements that are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from affectkit.ops.lucas_kanade import lucas_kanade, lucas_kanade_ref


def texture(x: Tensor, y: Tensor) -> Tensor:
    """A smooth picture in [0, 1], defined between the pixels too, so that warps of it are exact."""
    waves = [(0.8, 0.3), (-0.4, 0.9), (0.6, -0.7), (0.2, 0.5), (-1.0, 0.1), (0.9, 0.8), (-0.3, -0.4), (0.1, 1.1)]
    return 0.5 + 0.06 * torch.stack([torch.sin(a * x + b * y + 3 * a - 2 * b) for a, b in waves]).sum(dim=0)


def warped_pair(size: int, largest: float) -> tuple[Tensor, Tensor, Tensor]:
    """Two images `(1, size, size)` and the flow `(1, 2, size, size)` between them, whose longest arrow is `largest`."""
    y, x = torch.meshgrid(torch.arange(size).double(), torch.arange(size).double(), indexing="ij")
    u = torch.sin(math.pi * y / size) * torch.cos(math.pi * x / size)
    v = torch.cos(math.pi * x / size + 0.5)
    flow = torch.stack([u, v])
    flow = flow * largest / flow.norm(dim=0).max()
    # the second image is the texture; the first holds, at x, what the second holds at x + flow(x)
    return texture(x + flow[0], y + flow[1])[None].float(), texture(x, y)[None].float(), flow[None].float()


def endpoint_error(flow: Tensor, truth: Tensor) -> float:
    return float((flow - truth).norm(dim=-3).mean())


@pytest.fixture
def random_pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(2, 7, 9, dtype=torch.float64, generator=generator)
    b = a + 0.1 * torch.rand(2, 7, 9, dtype=torch.float64, generator=generator)
    return a.requires_grad_(), b.requires_grad_()


def test_it_equals_its_slow_twin(random_pair: tuple[Tensor, Tensor]) -> None:
    a, b = random_pair
    fast, slow = lucas_kanade(a, b, window=1.5), lucas_kanade_ref(a, b, window=1.5)
    assert fast.abs().max() > 0.1
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


def test_its_gradients_equal_those_of_its_slow_twin(random_pair: tuple[Tensor, Tensor]) -> None:
    a, b = random_pair
    weight = torch.linspace(-1, 1, 2 * 2 * 7 * 9, dtype=torch.float64).reshape(2, 2, 7, 9)
    fast = torch.autograd.grad((lucas_kanade(a, b, window=1.5, warps=2) * weight).sum(), (a, b))
    slow = torch.autograd.grad((lucas_kanade_ref(a, b, window=1.5, warps=2) * weight).sum(), (a, b))
    for one, other in zip(fast, slow, strict=True):
        assert one.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("largest", [0.1, 0.25, 0.5, 1.0, 2.0])
def test_its_error_is_a_small_part_of_the_motion(largest: float) -> None:
    a, b, truth = warped_pair(64, largest)
    assert endpoint_error(lucas_kanade(a, b), truth) < 0.3 * endpoint_error(torch.zeros_like(truth), truth)


def test_u_points_right_and_v_down() -> None:
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    right = lucas_kanade(texture(x, y)[None], texture(x - 0.5, y)[None])[0, :, 12:-12, 12:-12]
    down = lucas_kanade(texture(x, y)[None], texture(x, y - 0.5)[None])[0, :, 12:-12, 12:-12]
    torch.testing.assert_close(right.mean(dim=(1, 2)), torch.tensor([0.5, 0.0]), rtol=0, atol=0.02)
    torch.testing.assert_close(down.mean(dim=(1, 2)), torch.tensor([0.0, 0.5]), rtol=0, atol=0.02)


def test_equal_images_have_exactly_no_flow() -> None:
    image = torch.rand(3, 33, 40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(lucas_kanade(image, image.clone()), torch.zeros(3, 2, 33, 40))


def test_no_texture_gives_no_flow_instead_of_nan() -> None:
    dark, light = torch.zeros(1, 16, 16), torch.ones(1, 16, 16)
    assert lucas_kanade(dark, light).abs().max() < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_tiny_images_work(size: tuple[int, int]) -> None:
    a, b = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(2))
    flow = lucas_kanade(a, b)
    assert flow.shape == (1, 2, *size)
    assert flow.isfinite().all()


@pytest.mark.parametrize("window", [1e-30, 1e-3, 100.0])
def test_extreme_windows_give_no_nan(window: float) -> None:
    a, b = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(4))
    assert lucas_kanade(a, b, window=window).isfinite().all()


def test_images_of_a_batch_do_not_mix() -> None:
    a, b = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(3))
    together = lucas_kanade(a, b)
    broken = b.clone()
    broken[1] = float("nan")
    apart = lucas_kanade(a, broken)
    torch.testing.assert_close(apart[[0, 2]], together[[0, 2]])


def test_autocast_does_not_lower_the_precision() -> None:
    a, b, _ = warped_pair(32, 0.25)
    plain = lucas_kanade(a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(lucas_kanade(a, b), plain)
