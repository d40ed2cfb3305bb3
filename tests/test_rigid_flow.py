"""The rigid part of a flow: against its slow twin, gradients, and flows whose rigid part is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import affectkit.ops.rigid_flow as rigid_flow_module
from affectkit.ops.rigid_flow import Model, rigid_flow, rigid_flow_ref

MODELS: list[Model] = ["similarity", "affine"]


def moved(size: int, matrix: tuple[float, float, float, float], shift: tuple[float, float]) -> Tensor:
    """The flow `(1, 2, size, size)` of an affine map about the middle, whose matrix is per pixel."""
    y, x = torch.meshgrid(*[torch.arange(size).double() - (size - 1) / 2] * 2, indexing="ij")
    a, b, c, d = matrix
    return torch.stack([shift[0] + a * x + b * y, shift[1] + c * x + d * y])[None]


def bump(size: int, radius: float, length: float) -> Tensor:
    """A place that moves on its own, `(1, 2, size, size)`, as when a corner of the mouth is pulled."""
    y, x = torch.meshgrid(*[torch.arange(size).double()] * 2, indexing="ij")
    shape = torch.exp(-((x - 0.65 * size) ** 2 + (y - 0.7 * size) ** 2) / (2 * radius**2))
    return length * torch.stack([0.8 * shape, -0.6 * shape])[None]


# of heads: a turn of half a degree and one percent nearer; the second one shears too
SIMILARITY = moved(64, (0.01, -0.009, 0.009, 0.01), (1.5, -0.8))
AFFINE = moved(64, (0.012, -0.004, 0.003, -0.006), (-2.0, 0.7))


@pytest.fixture
def exporting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a graph were recorded."""
    monkeypatch.setattr(rigid_flow_module, "is_exporting", lambda: True)


def noisy(flow: Tensor, amount: float) -> Tensor:
    return flow + amount * torch.randn(flow.shape, dtype=flow.dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [(3, 3), (5, 7), (40, 23), (3, 50)])
@pytest.mark.parametrize("iterations", [0, 1, 10])
def test_it_equals_its_slow_twin(model: Model, size: tuple[int, int], iterations: int) -> None:
    flow = torch.rand(3, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    fast, slow = (fit(flow, model, iterations=iterations, most=16) for fit in (rigid_flow, rigid_flow_ref))
    assert slow.abs().max() > 0.1
    torch.testing.assert_close(fast, slow, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("size", [(3, 3), (5, 7), (40, 23), (3, 50)])
@pytest.mark.parametrize("iterations", [0, 1, 10])
def test_real_numbers_alone_give_the_same(size: tuple[int, int], iterations: int, exporting: None) -> None:
    """Of a similarity; as in a graph."""
    flow = torch.rand(3, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    fast, slow = (fit(flow, "similarity", iterations=iterations, most=16) for fit in (rigid_flow, rigid_flow_ref))
    torch.testing.assert_close(fast, slow, rtol=1e-7, atol=1e-8)
    assert not rigid_flow(torch.zeros_like(flow), "similarity").any()
    single = rigid_flow(flow.float(), "similarity", iterations=iterations, most=16)
    torch.testing.assert_close(single.double(), slow, rtol=1e-4, atol=1e-5)


class Similarity(torch.nn.Module):
    def forward(self, flow: Tensor) -> Tensor:
        return rigid_flow(flow, "similarity")


def test_a_recorded_similarity_has_no_complex_numbers() -> None:
    flow = noisy(SIMILARITY + bump(64, 6.0, 1.0), 0.05)
    program = torch.export.export(Similarity(), (flow,))
    given = [node.meta["val"] for node in program.graph.nodes if isinstance(node.meta.get("val"), Tensor)]
    assert len(given) > 100
    assert not any(one.is_complex() for one in given)
    torch.testing.assert_close(program.module()(flow), rigid_flow(flow, "similarity"), rtol=1e-7, atol=1e-8)


def test_an_affine_map_in_a_graph_is_fitted_as_ever(exporting: None) -> None:
    flow = noisy(AFFINE, 0.1)
    torch.testing.assert_close(rigid_flow(flow, "affine"), rigid_flow_ref(flow, "affine"))


@pytest.mark.parametrize("model", MODELS)
def test_its_gradients_are_those_of_small_changes(model: Model) -> None:
    flow = torch.rand(2, 2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: rigid_flow(given, model, iterations=3), flow)


@pytest.mark.parametrize(("model", "rigid"), [("similarity", SIMILARITY), ("affine", AFFINE), ("affine", SIMILARITY)])
@pytest.mark.parametrize(("noise", "error"), [(0.0, 1e-4), (0.05, 0.04)])
def test_a_part_that_moves_on_its_own_counts_no_more(model: Model, rigid: Tensor, noise: float, error: float) -> None:
    found = rigid_flow(noisy(rigid + bump(64, 6.0, 1.0), noise), model)
    assert (found - rigid).norm(dim=1).max() < error
    # least squares alone is off by far more
    assert (rigid_flow(rigid + bump(64, 6.0, 1.0), model, iterations=0) - rigid).norm(dim=1).max() > 0.05


def test_float32_is_exact_enough() -> None:
    flow = SIMILARITY + bump(64, 6.0, 1.0)
    torch.testing.assert_close(
        rigid_flow(flow.float(), "affine").double(), rigid_flow(flow, "affine"), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("model", MODELS)
def test_no_flow_has_no_rigid_part_and_a_finite_gradient(model: Model) -> None:
    flow = torch.zeros(2, 2, 8, 9, requires_grad=True)
    found = rigid_flow(flow, model)
    assert torch.equal(found, torch.zeros(2, 2, 8, 9))
    (slope,) = torch.autograd.grad(found.sum(), flow)
    assert slope.isfinite().all()


@pytest.mark.parametrize("model", MODELS)
def test_the_smallest_frames_have_a_fit_whatever_moves(model: Model) -> None:
    """A line that moves farther than anything, in float32: the others lie on no line."""
    for size in ((3, 3), (3, 300), (300, 3)):
        flow = torch.zeros(4, 2, *size)
        flow[0, :, 1], flow[1, :, :, 0], flow[2, :, 0] = 1e4, -1e4, 1.0
        flow[3] = torch.randn(2, *size, generator=torch.Generator().manual_seed(4))
        assert rigid_flow(flow, model).isfinite().all()


def test_frames_do_not_mix_and_autocast_changes_nothing() -> None:
    flow = torch.cat([SIMILARITY, AFFINE]).float()
    together = rigid_flow(flow, "similarity")
    torch.testing.assert_close(together[1:], rigid_flow(flow[1:], "similarity"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(rigid_flow(flow, "similarity"), together)
