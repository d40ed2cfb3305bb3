"""Dropout: the right share, the right scale, the same from the same seed, and a gradient through what stayed."""

from __future__ import annotations

import sys

import pytest
import torch

from affectkit.ops import dropout
from affectkit.ops.dropout import Dropout, draw_factors, draw_factors_ref, to_least

SEED = 2**62 + 12345


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999])
def test_as_many_are_dropped_as_asked_and_the_mean_stays(p: float) -> None:
    factors = draw_factors(torch.empty(400, 1001), SEED, to_least(p))
    share = float((factors == 0).float().mean())
    assert abs(share - p) < 4 * (p * (1 - p) / factors.numel()) ** 0.5 + 1 / 65536
    assert sorted(set(factors.flatten().tolist())) == [0.0, pytest.approx(1 / (1 - p), rel=2e-2)]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.37])
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 4, 6), (0, 4)])
def test_the_slow_twin_draws_the_same(shape: tuple[int, ...], p: float) -> None:
    like = torch.empty(shape, dtype=torch.float64)
    for seed in (0, 3, SEED, 2**63 - 1):
        fast = draw_factors(like, seed, to_least(p))
        assert torch.equal(fast, draw_factors_ref(like, seed, to_least(p)))


def test_blocks_go_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    like = torch.empty(1003)
    whole = draw_factors(like, SEED, to_least(0.4))
    monkeypatch.setattr(dropout, "_BLOCK", 8)
    assert torch.equal(draw_factors(like, SEED, to_least(0.4)), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (1023,), (1025,), (3, 40_001)])
def test_the_kernel_drops_the_same(shape: tuple[int, ...], threads: int, dtype: torch.dtype) -> None:
    kernel = pytest.importorskip("affectkit.ops.dropout_numba", reason="numba is not installed")
    x, out = torch.randn(shape).to(dtype), torch.full(shape, 7.0, dtype=dtype)
    had = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for p in (0.0, 0.1, 0.9999999):
            kernel.drop(x, SEED, to_least(p), out)
            assert torch.equal(out, x * draw_factors(x, SEED, to_least(p)))
    finally:
        torch.set_num_threads(had)


def test_with_and_without_numba_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")

    def run() -> list[torch.Tensor]:
        torch.manual_seed(5)
        x = torch.linspace(-1, 1, 6000).reshape(60, 100).t().requires_grad_()
        y = Dropout(0.3).train()(x)
        (grad,) = torch.autograd.grad((y * y).sum(), x)
        return [y, grad]

    with_numba = run()
    monkeypatch.setattr(dropout, "_has_numba", lambda: False)
    for one, other in zip(with_numba, run(), strict=True):
        assert torch.equal(one, other)


def test_a_numba_that_fails_leaves_it_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # as where its files can't be written, or its insides are others
    monkeypatch.setitem(sys.modules, "affectkit.ops.dropout_numba", None)
    monkeypatch.delattr("affectkit.ops.dropout_numba", raising=False)
    dropout._has_numba.cache_clear()
    try:
        assert not dropout._has_numba()
        assert (Dropout(0.5).train()(torch.ones(100)) == 0).any()
    finally:
        dropout._has_numba.cache_clear()


def test_neighbors_are_dropped_by_chances_of_their_own() -> None:
    dropped = (draw_factors(torch.empty(100_000, 4), SEED, to_least(0.5)) == 0).double()
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
    factors = draw_factors(torch.empty(5, dtype=torch.float64), int(torch.randint(2**63 - 1, ())), to_least(0.4))
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_precision_stays(dtype: torch.dtype) -> None:
    assert Dropout(0.5).train()(torch.rand(7, 3).to(dtype)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_no_number_shows(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 3e38] * 500).to(dtype)
    if dtype == torch.bfloat16:
        # a NaN whose bits are all ones, which rounding would carry over to a number
        x[::4] = torch.full((), -1, dtype=torch.int16).view(torch.bfloat16)

    def run() -> torch.Tensor:
        torch.manual_seed(1)
        return Dropout(0.5).train()(x).float()  # type: ignore[no-any-return]

    fast = run()
    assert fast[::4].isnan().all()
    assert not fast.reshape(500, 4)[:, :3].isfinite().any()
    monkeypatch.setattr(dropout, "_has_numba", lambda: False)
    assert torch.equal(fast.nan_to_num(1e9), run().nan_to_num(1e9))


def test_the_default_device_and_precision_do_not_matter() -> None:
    x = torch.ones(40, 5)
    dropout._has_numba.cache_clear()
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        # as where the default is a GPU and the model is not on it
        with torch.device("meta"):
            y = Dropout(0.5).train()(x)
            factors = draw_factors(x, SEED, to_least(0.5))
    finally:
        torch.set_default_dtype(before)
        dropout._has_numba.cache_clear()
    assert set(y.flatten().tolist()) == {0.0, 2.0}
    assert set(factors.flatten().tolist()) == {0.0, 2.0}
