"""Attention with dropout in parts: the same draws, values and gradients as layer by layer, and as the slow twin."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from affectkit.ops import attention_dropout
from affectkit.ops.attention import attend, attend_ref, attend_to, visible_steps
from affectkit.ops.dropout import draw_factors, draw_seed, to_least

P = 0.3
needs_numba = pytest.mark.skipif(not attention_dropout._has_numba(), reason="numba is not installed")


Three = tuple[Tensor, Tensor, Tensor]


def make(batch: int, heads: int, steps: int, seen: int, width: int, own: int | None = None) -> Three:
    """Query, key and value as a Transformer gives them: parts of one tensor, each step's heads side by side."""
    torch.manual_seed(3)
    shapes = ((steps, width), (seen, width), (seen, own or width))
    query, key, value = (torch.randn(batch, length, heads, size).transpose(1, 2) for length, size in shapes)
    return query.requires_grad_(), key.requires_grad_(), value.requires_grad_()


def run(tensors: Three, visible: Tensor | None = None) -> list[Tensor]:
    """What comes out, and the gradients of everything."""
    torch.manual_seed(5)
    attended = attend_to(*tensors, visible, dropout=P)
    weight = torch.linspace(-1, 1, attended.numel()).view(attended.shape)
    return [attended, *torch.autograd.grad((attended * weight).sum(), tensors)]


def run_layers(tensors: Three, visible: Tensor | None, patch: pytest.MonkeyPatch) -> list[Tensor]:
    with patch.context() as context:
        context.setattr(attention_dropout, "_has_numba", lambda: False)
        return run(tensors, visible)


def check_alike(ours: list[Tensor], theirs: list[Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=3e-6, rtol=1e-5)


@needs_numba
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1, 1), (3, 2, 7, 7, 8), (2, 3, 5, 9, 4), (5, 4, 65, 67, 16), (3, 2, 300, 301, 4)]
)
def test_it_equals_layer_by_layer(
    sizes: tuple[int, int, int, int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = make(*sizes, own=3)
    had = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check_alike(run(tensors), run_layers(tensors, None, monkeypatch))
    finally:
        torch.set_num_threads(had)


@needs_numba
@pytest.mark.parametrize("at_once", [1, 2 * 2 * 6 * 6, 1 << 18])
def test_parts_of_any_size_give_the_same(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = make(5, 2, 6, 6, 4)
    whole = run_layers(tensors, None, monkeypatch)
    monkeypatch.setattr(attention_dropout, "_AT_ONCE", at_once)
    check_alike(run(tensors), whole)


@needs_numba
@pytest.mark.parametrize("causal", [False, True])
def test_what_is_hidden_stays_hidden(causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.rand(4, 9, generator=torch.Generator().manual_seed(0)) > 0.4
    tensors = make(4, 2, 9, 9, 8)
    visible = visible_steps(mask, causal=causal).unsqueeze(1)
    check_alike(run(tensors, visible), run_layers(tensors, visible, monkeypatch))


@needs_numba
@pytest.mark.parametrize("is_padded", [False, True])
def test_it_equals_the_slow_twin(is_padded: bool) -> None:
    query, key, value = make(3, 2, 6, 6, 4)
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[1, 4:] = not is_padded
    torch.manual_seed(7)
    fast = attend(query, key, value, mask, dropout=P)
    torch.manual_seed(7)
    factors = draw_factors(torch.empty(3, 2, 6, 6, dtype=torch.float64), draw_seed(), to_least(P))
    doubles = [one.detach().double().requires_grad_() for one in (query, key, value)]
    slow = attend_ref(doubles[0], doubles[1], doubles[2], mask, factors=factors)
    real = mask[:, None, :, None]
    torch.testing.assert_close(torch.where(real, fast.double(), 0.0), slow, atol=1e-6, rtol=1e-5)
    ours = torch.autograd.grad((fast * real).square().sum(), (query, key, value))
    theirs = torch.autograd.grad(slow.square().sum(), doubles)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-5, rtol=1e-4)


@needs_numba
@pytest.mark.parametrize("form", ["apart", "shared", "derived", "frozen"])
def test_the_second_gradient_is_right(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = make(2, 2, 5, 5, 4)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[0, 3:] = False
    visible = visible_steps(mask).unsqueeze(1)

    def penalize() -> Tensor:
        inputs = {
            "apart": (query, key, value),
            "shared": (query, query, query),
            "derived": (query, 2 * query, query.tanh()),
            "frozen": (query, key.detach(), value.detach()),
        }[form]
        torch.manual_seed(5)
        attended = attend_to(*inputs, visible, dropout=P)
        (slope,) = torch.autograd.grad(attended.square().sum(), query, create_graph=True)
        (bend,) = torch.autograd.grad(slope.square().sum(), query)
        return torch.stack([slope.detach(), bend])

    ours = penalize()
    monkeypatch.setattr(attention_dropout, "_has_numba", lambda: False)
    torch.testing.assert_close(ours, penalize(), atol=1e-3, rtol=1e-4)


@needs_numba
def test_autocast_around_the_backward_pass_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = make(3, 2, 7, 7, 8)

    def run_backward(again: bool) -> list[Tensor]:
        torch.manual_seed(5)
        attended = attend_to(*tensors, None, dropout=P)
        with torch.autocast("cpu", torch.bfloat16):
            return [one.detach() for one in torch.autograd.grad(attended.sum(), tensors, create_graph=again)]

    ours = run_backward(False), run_backward(True)
    assert all(one.dtype == torch.float32 for found in ours for one in found)
    monkeypatch.setattr(attention_dropout, "_has_numba", lambda: False)
    torch.manual_seed(5)
    theirs = list(torch.autograd.grad(attend_to(*tensors, None, dropout=P).sum(), tensors))
    for found in ours:
        check_alike(found, theirs)


@needs_numba
def test_batches_that_are_broadcast() -> None:
    query, key, value = make(2, 2, 5, 7, 4)
    attended = attend_to(query, key[:1], value[:1], None, dropout=P)
    assert attended.shape == (2, 2, 5, 4)


@needs_numba
def test_what_is_no_number_shows() -> None:
    query, key, value = make(2, 1, 4, 4, 4)
    spoiled = query.detach().clone()
    spoiled[0, 0, 2, 1] = float("nan")
    torch.manual_seed(0)
    attended = attend_to(spoiled, key, value, None, dropout=P)
    assert attended[0, 0, 2].isnan().all()
    assert attended[1].isfinite().all()


@needs_numba
def test_large_scores_do_not_overflow() -> None:
    query, key, value = (1e4 * one.detach() for one in make(1, 1, 8, 8, 4))
    assert attend_to(query, key, value, None, dropout=P).isfinite().all()


def test_what_it_can_not_take_goes_layer_by_layer() -> None:
    tensors = make(2, 2, 5, 5, 4)
    can = attention_dropout.can_drop_in_parts
    assert can(*tensors) is attention_dropout._has_numba()
    assert not can(*(one.double() for one in tensors))
    assert not can(*(one.bfloat16() for one in tensors))
    assert not can(*make(0, 2, 5, 5, 4))
    with torch.autocast("cpu", torch.bfloat16):
        assert not can(*tensors)
        assert attend_to(*tensors, None, dropout=P).shape == (2, 2, 5, 4)


def test_a_numba_that_fails_leaves_it_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # as where its files can't be written, or its insides are others
    monkeypatch.setitem(sys.modules, "affectkit.ops.attention_numba", None)
    monkeypatch.delattr("affectkit.ops.attention_numba", raising=False)
    attention_dropout._has_numba.cache_clear()
    try:
        assert not attention_dropout._has_numba()
        assert attend_to(*make(2, 2, 5, 5, 4), None, dropout=P).isfinite().all()
    finally:
        attention_dropout._has_numba.cache_clear()


@needs_numba
def test_frozen_parts_get_no_gradient() -> None:
    query, key, value = make(2, 2, 5, 5, 4)
    key, value = key.detach(), value.detach()
    attend_to(query, key, value, None, dropout=P).sum().backward()  # type: ignore[no-untyped-call]
    assert query.grad is not None
    assert key.grad is None
