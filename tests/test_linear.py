"""Linear layers by oneDNN: the same numbers and gradients as torch's own, and only where they pay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from affectkit.ops import linear
from affectkit.ops.linear import Linear

needs_onednn = pytest.mark.skipif(not linear._has_onednn(), reason="torch has no oneDNN or no MKL here")


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes that oneDNN was given, where it is taken for every size and on every processor."""
    seen: list[tuple[int, ...]] = []
    multiply = linear._multiply

    def spy(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.append(tuple(x.shape))
        return multiply(x, weight, bias)

    monkeypatch.setattr(linear, "_multiply", spy)
    monkeypatch.setattr(linear, "_LEAST", 1)
    monkeypatch.setattr(linear, "_is_amd", lambda: True)
    return seen


def _twin(layer: Linear) -> nn.Linear:
    """torch's own with the same numbers, in float64."""
    twin = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None).double()
    twin.load_state_dict(layer.state_dict())
    return twin


def _near(found: Tensor | None, right: Tensor | None) -> bool:
    assert found is not None
    assert right is not None
    return bool((found - right).abs().max() <= 1e-5 * right.abs().max())


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7), (2, 3, 5, 7), (1, 7)])
def test_numbers_and_gradients_are_those_of_float64(
    shape: tuple[int, ...], bias: bool, everywhere: list[tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    layer = Linear(7, 4, bias=bias)
    twin = _twin(layer)
    x = torch.randn(shape, requires_grad=True)
    exact = x.detach().double().requires_grad_()
    weights = torch.randn(*shape[:-1], 4)
    (layer(x) * weights).sum().backward()
    (twin(exact) * weights).sum().backward()
    assert everywhere == [shape, (*shape[:-1], 4)]
    assert _near(layer(x), twin(exact))
    assert _near(x.grad, exact.grad)
    for one, other in zip(layer.parameters(), twin.parameters(), strict=True):
        assert _near(one.grad, other.grad)


@needs_onednn
def test_what_is_not_contiguous_is_read_as_it_is_meant(everywhere: list[tuple[int, ...]]) -> None:
    layer = Linear(7, 4)
    rows = torch.randn(6, 20)
    for x in (rows[:, 3:10], torch.randn(7, 6).t(), torch.randn(1, 7).expand(6, 7), torch.randn(3, 7, 2).mT):
        assert _near(layer(x), _twin(layer)(x.double()))
    weights = torch.randn(4, 6).t()
    x = torch.randn(6, 7, requires_grad=True)
    (layer(x) * weights).sum().backward()
    assert _near(x.grad, weights.double() @ layer.weight.detach().double())
    assert len(everywhere) == 6


@needs_onednn
def test_only_what_is_asked_for_gets_a_gradient(everywhere: list[tuple[int, ...]]) -> None:
    layer = Linear(7, 4).requires_grad_(False)
    x = torch.randn(5, 7, requires_grad=True)
    kept: list[tuple[int, ...]] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = layer(x)
    # activations may go
    assert kept == [(4, 7)]
    y.sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is None
    assert _near(x.grad, layer.weight.double().sum(0).expand(5, 7))
    layer.requires_grad_(True)
    layer(torch.randn(5, 7)).sum().backward()
    assert layer.weight.grad is not None
    assert everywhere == [(5, 7), (5, 4), (5, 7)]


@needs_onednn
def test_the_second_gradient_is_right(everywhere: list[tuple[int, ...]]) -> None:
    torch.manual_seed(1)
    layer = Linear(7, 4)
    twin = _twin(layer)

    def second(one: nn.Linear, x: Tensor) -> list[Tensor]:
        (first,) = torch.autograd.grad(one(x).pow(3).sum(), x, create_graph=True)
        return list(torch.autograd.grad(first.pow(2).sum(), [x, *one.parameters()]))

    x = torch.randn(5, 7)
    found = second(layer, x.clone().requires_grad_())
    assert everywhere[:2] == [(5, 7), (5, 4)]
    for one, other in zip(found, second(twin, x.double().requires_grad_()), strict=True):
        assert _near(one, other)


@needs_onednn
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_who_looks_at_the_operations_sees_the_plain_layer(everywhere: list[tuple[int, ...]]) -> None:
    layer, x = Linear(7, 4), torch.randn(5, 7)
    right = nn.functional.linear(x, layer.weight, layer.bias)
    with FlopCounterMode(display=False) as counter:
        layer(x.clone().requires_grad_()).sum().backward()
    assert counter.get_total_flops() == 3 * 2 * 5 * 7 * 4
    torch.testing.assert_close(torch.func.vmap(layer)(x[:, None])[:, 0], right)
    with forward_ad.dual_level():
        dual: Any = forward_ad.make_dual(x, torch.ones_like(x))  # type: ignore[no-untyped-call]
        tangent = forward_ad.unpack_dual(layer(dual)).tangent  # type: ignore[no-untyped-call]
    torch.testing.assert_close(tangent, layer.weight.sum(1).expand(5, 4))
    assert everywhere == []
    x.requires_grad_()
    each = torch.eye(4).unsqueeze(1).expand(4, 5, 4)
    (rows,) = torch.autograd.grad(layer(x), x, each, is_grads_batched=True)
    torch.testing.assert_close(rows, layer.weight.unsqueeze(1).expand(4, 5, 7))


@needs_onednn
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_nothing_else_goes_to_onednn(everywhere: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(7, 4), torch.randn(5, 7)
    layer(x[0])
    layer.double()(x.double())
    layer.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert layer(torch.empty(0, 7)).shape == (0, 4)
    traced: Any = torch.jit.trace(layer, x, check_trace=False)  # type: ignore[no-untyped-call]
    assert "aten::linear" in str(traced.inlined_graph)
    assert "aten.linear" in str(torch.export.export(layer, (x,)).graph)
    monkeypatch.setattr(linear, "_LEAST", 5 * 7 * 4 + 1)
    layer(x)
    monkeypatch.setattr(linear, "_LEAST", 5 * 7 * 4)
    monkeypatch.setattr(linear, "_is_amd", lambda: False)
    layer(x)
    assert everywhere == []
    monkeypatch.setattr(linear, "_is_amd", lambda: True)
    layer(x)
    assert everywhere == [(5, 7)]


@needs_onednn
@pytest.mark.usefixtures("everywhere")
def test_a_torch_without_the_product_computes_it_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*given: Any) -> Tensor:
        raise AttributeError("no _linear_pointwise")

    monkeypatch.setattr(linear, "_multiply", missing)
    linear._has_onednn.cache_clear()
    try:
        layer, x = Linear(7, 4), torch.randn(5, 7)
        assert torch.equal(layer(x), nn.functional.linear(x, layer.weight, layer.bias))
    finally:
        linear._has_onednn.cache_clear()


def test_weights_are_those_of_the_plain_layer() -> None:
    torch.manual_seed(2)
    layer = Linear(7, 4)
    torch.manual_seed(2)
    plain = nn.Linear(7, 4)
    assert list(layer.state_dict()) == list(plain.state_dict())
    assert torch.equal(layer.weight, plain.weight)
    plain.load_state_dict(layer.state_dict())
