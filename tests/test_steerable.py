"""The complex steerable pyramid: its slow twin, what it holds and what not, and phases that follow motion."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from affectkit.ops.steerable import join_waves, make_windows, make_windows_ref, split_waves, split_waves_ref


def windows(height: int, width: int, levels: int, directions: int) -> list[Tensor]:
    return [make_windows((height, width), level, directions) for level in range(levels)]


def image(height: int, width: int) -> Tensor:
    return torch.rand(height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("directions", [2, 3, 4])
def test_it_is_its_slow_twin(directions: int) -> None:
    given = image(8, 12)
    fast = split_waves(given[None], windows(8, 12, 2, directions))
    for waves, twin in zip(fast, split_waves_ref(given, 2, directions), strict=True):
        assert twin.abs().max() > 0.01
        torch.testing.assert_close(waves[0], twin)


def test_gradients_are_those_of_the_slow_twin() -> None:
    given = image(8, 8).requires_grad_()
    fast = split_waves(given[None], windows(8, 8, 1, 2))[0][0]
    slow = split_waves_ref(given, 1, 2)[0]
    (one,), (two,) = (
        torch.autograd.grad((waves.real * 2 - waves.imag).square().sum(), given) for waves in (fast, slow)
    )
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("directions", [2, 4, 6])
def test_squares_of_windows_sum_to_one_in_the_middle(directions: int) -> None:
    whole = sum(make_windows_ref((32, 32), level, directions).square().sum(dim=0) for level in range(3))
    assert isinstance(whole, Tensor)
    both = whole + whole.flip(0, 1).roll((1, 1), (0, 1))
    y, x = (torch.fft.fftfreq(32, dtype=torch.float64) for _ in range(2))
    length = torch.hypot(y[:, None], x)
    middle = (length <= 1 / 4) & (length >= 1 / 16)
    torch.testing.assert_close(both[middle], torch.ones_like(both[middle]))
    assert both[0, 0] == 0
    assert both.max() < 1 + 1e-9


def test_what_lies_between_finest_and_coarsest_is_put_together_again() -> None:
    spectrum = torch.fft.fft2(image(64, 64))
    y, x = (torch.fft.fftfreq(64, dtype=torch.float64) for _ in range(2))
    length = torch.hypot(y[:, None], x)
    given = torch.fft.ifft2(spectrum * ((length <= 1 / 4) & (length >= 1 / 32))).real[None]
    levels = windows(64, 64, 4, 4)
    torch.testing.assert_close(join_waves(split_waves(given, levels), levels), given)
    flat = torch.full((1, 64, 64), 0.4, dtype=torch.float64)
    assert join_waves(split_waves(flat, levels), levels).abs().max() < 1e-12


def test_phases_follow_motion() -> None:
    x = torch.arange(32, dtype=torch.float64)
    rest, moved = (torch.cos(2 * math.pi * (x - shift) / 8).expand(1, 32, 32) for shift in (0.0, 0.5))
    levels = windows(32, 32, 2, 4)
    before, after = split_waves(rest, levels)[1][:, 0], split_waves(moved, levels)[1][:, 0]
    turn = torch.angle(after * before.conj())
    torch.testing.assert_close(turn, torch.full_like(turn, -2 * math.pi * 0.5 / 8))
