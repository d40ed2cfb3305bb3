"""The Laplacian pyramid: its slow twin, and nothing lost."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from affectkit.ops.laplacian import join_octaves, split_octaves, split_octaves_ref


def image(height: int, width: int) -> Tensor:
    return torch.rand(height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size", "count"), [((12, 16), 2), ((13, 7), 2), ((5, 9), 1), ((2, 3), 1), ((8, 8), 0)])
def test_it_is_its_slow_twin_and_loses_nothing(size: tuple[int, int], count: int) -> None:
    given = image(*size)
    levels, expected = split_octaves(given[None, None], count), split_octaves_ref(given, count)
    assert len(levels) == count + 1
    for level, twin in zip(levels, expected, strict=True):
        torch.testing.assert_close(level[0, 0], twin)
    torch.testing.assert_close(join_octaves(levels)[0, 0], given)


def test_gradients_are_those_of_the_slow_twin() -> None:
    given = image(7, 10).requires_grad_()
    fast, slow = split_octaves(given[None, None], 2)[1], split_octaves_ref(given, 2)[1]
    weights = torch.linspace(-1, 1, slow.numel(), dtype=torch.float64).reshape(slow.shape)
    (one,), (two,) = (torch.autograd.grad((weights * level).sum(), given) for level in (fast[0, 0], slow))
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_an_octave_holds_waves_of_its_length(level: int) -> None:
    x = torch.arange(128, dtype=torch.float64)
    powers = []
    for length in (4.0, 8.0, 16.0):
        wave = torch.cos(2 * math.pi * x / length).expand(128, 128)
        powers.append([float(part.square().mean()) for part in split_octaves(wave[None, None], 3)[:3]])
    assert max(range(3), key=lambda i: powers[i][level]) == level
