"""Smoothing over listed frames: against its slow twin, by hand, with gaps and padding; and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from affectkit.errors import InputError
from affectkit.ops.smoothing import smooth_frames, smooth_steps, smooth_steps_ref

MASK = torch.tensor([[True] * 9, [True] * 5 + [False] * 4, [False, True, True, False, True, True, False, True, False]])


def clips(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Values `(3, 9, 2)`, and positions with irregular gaps."""
    make = torch.Generator().manual_seed(0)
    gaps = torch.randint(1, 9, (3, 9), generator=make, dtype=torch.int64)
    return torch.randn(3, 9, 2, generator=make, dtype=dtype), gaps.cumsum(dim=1).double()


@pytest.mark.parametrize("delta", [0, 1, 3, 20])
@pytest.mark.parametrize("sigma", [1.0, 40.0, 1e5])
def test_it_equals_its_slow_twin(delta: int, sigma: float) -> None:
    values, positions = clips()
    found = smooth_steps(values, positions, MASK, sigma=sigma, delta=delta)
    torch.testing.assert_close(found, smooth_steps_ref(values, positions, MASK, sigma=sigma, delta=delta))
    assert torch.equal(found[~MASK], values[~MASK])


def test_gradients_equal_those_of_the_slow_twin() -> None:
    values, positions = clips()
    weights = torch.randn(3, 9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    grads = []
    for function in (smooth_steps, smooth_steps_ref):
        leaf = values.clone().requires_grad_()
        torch.autograd.backward((function(leaf, positions, MASK, sigma=9.0, delta=2) * weights).sum())
        grads.append(leaf.grad)
    torch.testing.assert_close(grads[0], grads[1])


def test_float32_is_near_float64_over_a_long_video() -> None:
    make = torch.Generator().manual_seed(2)
    values = torch.rand(1, 3000, 8, generator=make)
    positions = torch.randint(1, 9, (1, 3000), generator=make).cumsum(dim=1).double() + 1e6
    mask = torch.ones(1, 3000, dtype=torch.bool)
    found = smooth_steps(values, positions, mask, sigma=1e5, delta=50)
    expected = smooth_steps(values.double(), positions, mask, sigma=1e5, delta=50)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)


def test_it_is_what_the_formula_says() -> None:
    near, far = math.exp(-(2**2) / 50), math.exp(-(7**2) / 50)
    found = smooth_frames([1.0, 2.0, 4.0], [1, 3, 8], sigma=50.0, delta=2)
    assert found[0] == pytest.approx((1 + 2 * near + 4 * far) / (1 + near + far))
    # one neighbor to each side, whatever the gap
    assert smooth_frames([1.0, 2.0, 4.0], [1, 3, 8], sigma=50.0, delta=1)[0] == pytest.approx(
        (1 + 2 * near) / (1 + near)
    )


def test_arrays_come_as_they_are_and_probabilities_stay_such() -> None:
    make = np.random.default_rng(0)
    shares = make.dirichlet(np.ones(8), size=60)
    found = smooth_frames(shares, np.arange(60), delta=50)
    assert found.shape == (60, 8)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found.std(axis=0) < shares.std(axis=0)).all()
    np.testing.assert_allclose(smooth_frames(shares[:, 0], np.arange(60), delta=50), found[:, 0])
    assert np.array_equal(smooth_frames(shares, np.arange(60), delta=0), shares)
    assert smooth_frames(np.zeros((0, 3)), []).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": [1, 2]}, "frames: (2,) for values (3,); give (T,) for (T,) or (T, K)"),
        ({"frames": [1, 3, 2]}, "frames: not in ascending order; sort the values by frame"),
        ({"values": [1.0, math.nan, 2.0]}, "values: NaN or infinite; leave such frames out"),
        ({"sigma": 0.0}, "sigma: 0.0; give more than 0 squared frames"),
        ({"delta": -1}, "delta: -1 neighbors; give 0 or more"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    plain: dict[str, Any] = {"values": [1.0, 2.0, 3.0], "frames": [1, 2, 3]}
    with pytest.raises(InputError) as caught:
        smooth_frames(**(plain | arguments))
    assert str(caught.value) == message
