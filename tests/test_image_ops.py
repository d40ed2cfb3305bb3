"""Blur, derivatives and displaced images against their slow twins, gradients included."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from affectkit.ops.images import (
    GaussianBlur,
    WarpedDifference,
    derivatives,
    derivatives_ref,
    gaussian_blur,
    gaussian_blur_ref,
    warped_difference_ref,
)


def image(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def agree(fast: Callable[..., Tensor], slow: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Values and gradients, in float64."""
    given = [part.clone().requires_grad_() for part in inputs]
    found, expected = fast(*given), slow(*given)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weight = torch.linspace(-1, 1, found.numel(), dtype=torch.float64).reshape(found.shape)
    gradients = [torch.autograd.grad((result * weight).sum(), given) for result in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        assert one.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


# 150 pixels are three blocks, of which the last one is smaller; 3 pixels are fewer than the blur reaches
@pytest.mark.parametrize("size", [(9, 7), (3, 150), (150, 3), (65, 64), (1, 1)])
@pytest.mark.parametrize("sigma", [0.8, 6.0])
def test_the_blur_equals_its_slow_twin(size: tuple[int, int], sigma: float) -> None:
    agree(lambda x: gaussian_blur(x, sigma), lambda x: gaussian_blur_ref(x, sigma), image(*size))


@pytest.mark.parametrize("size", [(9, 7), (2, 5), (1, 6)])
def test_derivatives_equal_their_slow_twin(size: tuple[int, int]) -> None:
    agree(lambda x: derivatives(x[None, None])[0], derivatives_ref, image(*size))


@pytest.mark.parametrize("size", [(9, 7), (2, 5), (1, 6)])
def test_differences_to_displaced_images_equal_their_slow_twin(size: tuple[int, int]) -> None:
    # no whole pixels, where bilinear values have a kink
    flow = torch.stack([3 * image(*size, seed=1) - 1.49, 2 * image(*size, seed=2) - 0.97])

    def fast(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
        return WarpedDifference(first[None, None], second[None, None])(flow[None])[0, 0]

    agree(fast, warped_difference_ref, image(*size, seed=3), image(*size), flow)


def test_equal_images_at_rest_have_exactly_no_difference() -> None:
    images = torch.rand(2, 1, 33, 40, generator=torch.Generator().manual_seed(1))
    rest = torch.zeros(2, 2, 33, 40)
    assert torch.equal(WarpedDifference(images, images.clone())(rest), torch.zeros(2, 1, 33, 40))


def test_the_blur_keeps_constants_and_the_sum_inside() -> None:
    torch.testing.assert_close(gaussian_blur(torch.full((1, 12, 15), 0.7), 2.0), torch.full((1, 12, 15), 0.7))
    dot = torch.zeros(1, 21, 21)
    dot[0, 10, 10] = 1
    blurred = gaussian_blur(dot, 1.5)[0]
    torch.testing.assert_close(blurred.sum(), torch.tensor(1.0))
    torch.testing.assert_close(blurred, blurred.t())
    torch.testing.assert_close(blurred[10, 11] / blurred[10, 10], torch.tensor(math.exp(-1 / (2 * 1.5**2))))


def test_a_blur_can_be_used_again() -> None:
    blur = GaussianBlur((9, 7), 2.0, image(9, 7))
    for seed in (0, 1):
        torch.testing.assert_close(blur(image(9, 7, seed)), gaussian_blur_ref(image(9, 7, seed), 2.0))


def test_derivatives_of_a_parabola_are_exact_inside() -> None:
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    dx, dy = derivatives((x * x + 2 * x * y)[None, None])[0, :, 2:-2, 2:-2]
    torch.testing.assert_close(dx, (2 * x + 2 * y)[2:-2, 2:-2])
    torch.testing.assert_close(dy, (2 * x)[2:-2, 2:-2])
