"""Dropout: the right share, the right scale, the same from the same seed, and a gradient through what stayed."""

from __future__ import annotations

import pytest
import torch

from affectkit.ops.dropout import Dropout, draw_factors, draw_factors_ref


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
def test_as_many_are_dropped_as_asked_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    factors = draw_factors(torch.empty(400, 1001), p)
    share = float((factors == 0).float().mean())
    assert abs(share - p) < 4 * (p * (1 - p) / factors.numel()) ** 0.5 + 1 / 65536
    assert sorted(set(factors.flatten().tolist())) == [0.0, pytest.approx(1 / (1 - p), rel=2e-2)]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.37])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 4, 6)])
def test_the_slow_twin_draws_the_same(shape: tuple[int, ...], p: float) -> None:
    like = torch.empty(shape, dtype=torch.float64)
    torch.manual_seed(3)
    fast = draw_factors(like, p)
    torch.manual_seed(3)
    assert torch.equal(fast, draw_factors_ref(like, p))


def test_neighbors_are_dropped_by_chances_of_their_own() -> None:
    torch.manual_seed(0)
    dropped = (draw_factors(torch.empty(100_000, 4), 0.5) == 0).double()
    assert float((torch.corrcoef(dropped.T) - torch.eye(4)).abs().max()) < 0.02


def test_the_gradient_goes_through_what_stayed() -> None:
    layer = Dropout(0.3).train()
    x = torch.ones(64, 33, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())
    assert (y == 0).any()


def test_the_second_gradient_is_right() -> None:
    torch.manual_seed(0)
    factors = draw_factors(torch.empty(5, dtype=torch.float64), 0.4)
    x = torch.rand(5, dtype=torch.float64, requires_grad=True)
    layer = Dropout(0.4).train()

    def cube(value: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)
        return torch.pow(layer(value), 3)

    torch.autograd.gradgradcheck(cube, (x,))
    assert torch.equal(cube(x), (x * factors) ** 3)


def test_nothing_is_dropped_in_evaluation_or_at_0() -> None:
    x = torch.rand(4, 4)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_everything_is_dropped_at_1() -> None:
    assert not Dropout(1.0).train()(torch.rand(4, 4)).any()


def test_half_precision_stays() -> None:
    assert Dropout(0.5).train()(torch.rand(7, 3).bfloat16()).dtype == torch.bfloat16
