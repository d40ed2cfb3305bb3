"""GELU with dropout: as the two one after the other, with their draws, values and gradients."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops import gelu
from affectkit.ops.dropout import drop
from affectkit.ops.gelu import DroppedGELU, gelu_drop

needs_numba = pytest.mark.skipif(not gelu._has_numba(), reason="numba is not installed")


def run(function: object, x: Tensor, p: float) -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    assert callable(function)
    y = function(x, p)
    weight = torch.linspace(-1, 1, y.numel()).view(y.shape)
    return y, torch.autograd.grad((y * weight).sum(), x)[0]


def drop_gelu(x: Tensor, p: float) -> Tensor:
    return drop(functional.gelu(x), p)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (1023,), (3, 20_001)])
def test_it_equals_both_in_turn(shape: tuple[int, ...], p: float) -> None:
    x = (4 * torch.randn(shape, generator=torch.Generator().manual_seed(1))).requires_grad_()
    for ours, theirs in zip(run(gelu_drop, x, p), run(drop_gelu, x, p), strict=True):
        torch.testing.assert_close(ours, theirs, atol=3e-5, rtol=1e-5)


@needs_numba
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_strides_do_not_matter(threads: int) -> None:
    x = torch.randn(300, 200).t().requires_grad_()
    had = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for ours, theirs in zip(run(gelu_drop, x, 0.2), run(drop_gelu, x, 0.2), strict=True):
            torch.testing.assert_close(ours, theirs, atol=3e-6, rtol=1e-5)
    finally:
        torch.set_num_threads(had)


@needs_numba
def test_it_is_near_the_exact_function() -> None:
    x = torch.linspace(-15, 15, 300_001).requires_grad_()
    exact = x.detach().double().requires_grad_()
    least = 1 / 65536
    torch.manual_seed(0)
    ours = gelu_drop(x, least)
    theirs = functional.gelu(exact)
    slopes = torch.autograd.grad(ours.sum(), x)[0], torch.autograd.grad(theirs.sum(), exact)[0]
    stayed = ours != 0
    for one, other in ((ours, theirs), slopes):
        scaled = one.double() * (1 - least)
        # rounding of float32 beside the formula's own 1.5e-7
        torch.testing.assert_close(scaled[stayed], other[stayed], atol=3e-7, rtol=1.5e-7)


@needs_numba
def test_what_is_no_number_shows() -> None:
    x = torch.tensor([float("nan"), float("inf"), 3e38, -3e38] * 100)
    torch.manual_seed(0)
    y = gelu_drop(x, 0.2).reshape(100, 4)
    assert y[:, 0].isnan().all()
    assert (y[:, 1].isnan() | y[:, 1].isinf()).all()
    assert set(y[:, 3].tolist()) == {0.0}


@needs_numba
def test_the_second_gradient_is_right() -> None:
    x = torch.randn(40, requires_grad=True)

    def bend(function: object) -> Tensor:
        torch.manual_seed(3)
        assert callable(function)
        slope = torch.autograd.grad(function(x, 0.3).square().sum(), x, create_graph=True)[0]
        return torch.autograd.grad(slope.square().sum(), x)[0]

    torch.testing.assert_close(bend(gelu_drop), bend(drop_gelu), atol=1e-4, rtol=1e-4)


def test_nothing_is_dropped_in_evaluation() -> None:
    x = torch.randn(50)
    layer = DroppedGELU(0.5)
    assert torch.equal(layer.eval()(x), functional.gelu(x))
    assert (layer.train()(x) == 0).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_precision_stays(dtype: torch.dtype) -> None:
    assert gelu_drop(torch.randn(30).to(dtype), 0.5).dtype == dtype


def test_a_numba_that_fails_leaves_it_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # as where its files can't be written, or its insides are others
    monkeypatch.setitem(sys.modules, "affectkit.ops.gelu_numba", None)
    monkeypatch.delattr("affectkit.ops.gelu_numba", raising=False)
    gelu._has_numba.cache_clear()
    try:
        assert not gelu._has_numba()
        assert (gelu_drop(torch.ones(100), 0.5) == 0).any()
    finally:
        gelu._has_numba.cache_clear()
