"""Temporal interpolation: against its slow twin, the published basis, and known numbers."""

from __future__ import annotations

import math

import pytest
import torch

from affectkit.errors import InputError
from affectkit.ops.interpolation import interpolate_frames, interpolate_frames_ref


def clip(size: int) -> torch.Tensor:
    return torch.rand(size, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize("size", [1, 2, 5, 17])
@pytest.mark.parametrize("count", [1, 2, 10, 17, 40])
def test_it_equals_its_slow_twin(size: int, count: int) -> None:
    torch.testing.assert_close(interpolate_frames(clip(size), count), interpolate_frames_ref(clip(size), count))


def test_known_numbers() -> None:
    found = interpolate_frames(torch.tensor([0.0, 1.0, 4.0, 9.0], dtype=torch.float64), 7)
    expected = torch.tensor([0, 0.392105, 1, 2.085786, 4, 6.607895, 9], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_basis_is_that_of_the_paper() -> None:
    size, k = 7, 3
    wave = torch.tensor(
        [math.sin(math.pi * k * p / size + math.pi * (size - k) / (2 * size)) for p in range(1, size + 1)]
    )
    places = torch.linspace(1, size, 23)
    expected = torch.sin(math.pi * k * places / size + math.pi * (size - k) / (2 * size))
    torch.testing.assert_close(interpolate_frames(wave, 23), expected, rtol=0, atol=1e-5)


def test_as_many_frames_are_the_same_and_the_ends_stay() -> None:
    torch.testing.assert_close(interpolate_frames(clip(9), 9), clip(9))
    found = interpolate_frames(clip(9), 31)
    torch.testing.assert_close(found[[0, -1]], clip(9)[[0, -1]])
    still = torch.full((5, 2, 2), 0.3)
    torch.testing.assert_close(interpolate_frames(still, 12), torch.full((12, 2, 2), 0.3))


def test_it_is_differentiable_and_keeps_half_precision_out() -> None:
    assert torch.autograd.gradcheck(lambda x: interpolate_frames(x, 6), clip(4).requires_grad_())
    assert interpolate_frames(clip(4).bfloat16(), 6).dtype == torch.float32
    assert interpolate_frames(torch.arange(4, dtype=torch.uint8), 3).dtype == torch.float32


def test_what_cannot_be_interpolated_is_refused() -> None:
    for frames, count, message in (
        (torch.zeros(0, 3), 4, "frames: none; give at least one"),
        (torch.tensor(1.0), 4, "frames: none; give at least one"),
        (torch.zeros(2, 3), 0, "count: 0 frames; give 1 or more"),
    ):
        with pytest.raises(InputError) as caught:
            interpolate_frames(frames, count)
        assert str(caught.value) == message
