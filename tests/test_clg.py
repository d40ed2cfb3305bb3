"""Combined local-global flow against its slow twin, its energy, and displacements that are known exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affectkit.ops.clg import ALPHA, clg, clg_ref
from affectkit.ops.images import derivatives, gaussian_blur
from affectkit.ops.lucas_kanade import lucas_kanade
from tests.test_lucas_kanade import endpoint_error, texture, warped_pair


@pytest.fixture
def random_pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(2, 5, 6, dtype=torch.float64, generator=generator)
    b = a + 0.1 * torch.rand(2, 5, 6, dtype=torch.float64, generator=generator)
    return a, b


@pytest.mark.parametrize(("warps", "iterations"), [(1, 1), (1, 2), (3, 5)])
def test_it_equals_its_slow_twin(random_pair: tuple[Tensor, Tensor], warps: int, iterations: int) -> None:
    fast, slow = (
        flow(*random_pair, window=1.0, alpha=0.01, warps=warps, iterations=iterations) for flow in (clg, clg_ref)
    )
    assert fast.abs().max() > 0.05
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-10)


def test_its_gradients_equal_those_of_its_slow_twin(random_pair: tuple[Tensor, Tensor]) -> None:
    pair = [part.requires_grad_() for part in random_pair]
    weight = torch.linspace(-1, 1, 2 * 2 * 5 * 6, dtype=torch.float64).reshape(2, 2, 5, 6)
    fast, slow = (
        torch.autograd.grad((flow(*pair, window=1.0, warps=2, iterations=3) * weight).sum(), pair)
        for flow in (clg, clg_ref)
    )
    for one, other in zip(fast, slow, strict=True):
        assert one.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8)


def test_its_gradients_are_those_of_small_changes(random_pair: tuple[Tensor, Tensor]) -> None:
    pair = [part[:1].requires_grad_() for part in random_pair]
    assert torch.autograd.gradcheck(lambda a, b: clg(a, b, window=1.0, warps=2, iterations=4), pair)


def test_a_gradient_keeps_three_maps_per_iteration() -> None:
    def kept(iterations: int) -> int:
        maps: dict[int, Tensor] = {}

        def keep(tensor: Tensor) -> Tensor:
            if tensor.numel() >= 2 * 20 * 20:
                maps[tensor.data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            clg(torch.rand(1, 20, 20, requires_grad=True), torch.rand(1, 20, 20), warps=1, iterations=iterations)
        return len(maps)

    assert kept(12) - kept(2) == 30


def test_many_iterations_find_the_least_energy(random_pair: tuple[Tensor, Tensor]) -> None:
    """The energy as the module writes it, whose slope has to be zero at the flow."""
    a, b = random_pair
    w = clg(a, b, window=1.0, warps=1, iterations=3000).requires_grad_()
    first, second = gaussian_blur(torch.stack([a, b], dim=1), 0.8).chunk(2, dim=1)
    gradient = torch.cat([derivatives(first), second - first], dim=1)
    products = gaussian_blur(gradient[:, :, None] * gradient[:, None], 1.0)
    extended = torch.cat([w, torch.ones_like(w[:, :1])], dim=1)
    data = torch.einsum("niyx,nijyx,njyx->", extended, products, extended)
    smoothness = (w[..., 1:] - w[..., :-1]).square().sum() + (w[..., 1:, :] - w[..., :-1, :]).square().sum()
    (slope,) = torch.autograd.grad(data + ALPHA / 4 * smoothness, w)
    (at_zero,) = torch.autograd.grad(2 * (products[:, 2:, :2] * w[:, None]).sum(), w)
    assert slope.abs().max() < 1e-9 * at_zero.abs().max()


@pytest.mark.parametrize("largest", [0.1, 0.25, 0.5, 1.0, 2.0])
def test_its_error_is_a_small_part_of_the_motion(largest: float) -> None:
    a, b, truth = warped_pair(64, largest)
    assert endpoint_error(clg(a, b), truth) < 0.15 * endpoint_error(torch.zeros_like(truth), truth)


def test_a_small_part_that_moves_is_kept_apart_better_than_by_a_wide_window() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    bump = torch.exp(-((x - 30) ** 2 + (y - 34) ** 2) / (2 * 6.0**2))
    truth = torch.stack([bump, 0.5 * bump])[None]
    a, b = texture(x + truth[0, 0], y + truth[0, 1])[None], texture(x, y)[None]
    assert endpoint_error(clg(a, b), truth) < 0.6 * endpoint_error(lucas_kanade(a, b), truth)


def test_u_points_right_and_v_down() -> None:
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    right = clg(texture(x, y)[None], texture(x - 0.5, y)[None])[0, :, 12:-12, 12:-12]
    torch.testing.assert_close(right.mean(dim=(1, 2)), torch.tensor([0.5, 0.0]), rtol=0, atol=0.02)


def test_equal_images_have_exactly_no_flow() -> None:
    image = torch.rand(3, 33, 40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(clg(image, image.clone()), torch.zeros(3, 2, 33, 40))


def test_where_there_is_no_texture_the_flow_is_that_of_the_surroundings() -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    is_blank = (x - 20).square() + (y - 20).square() < 25
    a, b = (torch.where(is_blank, 0.5, texture(x - step, y))[None] for step in (0.0, 0.4))
    assert lucas_kanade(a, b, window=1.0)[0, 0, 20, 20].abs() < 0.05
    assert clg(a, b, window=1.0)[0, 0, 20, 20] > 0.2
    assert clg(torch.zeros(1, 16, 16), torch.ones(1, 16, 16)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_tiny_images_work(size: tuple[int, int]) -> None:
    a, b = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(2))
    flow = clg(a, b)
    assert flow.shape == (1, 2, *size)
    assert flow.isfinite().all()


def test_images_of_a_batch_do_not_mix() -> None:
    a, b = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(clg(a, b)[1:2], clg(a[1:2], b[1:2]))


def test_autocast_does_not_lower_the_precision() -> None:
    a, b, _ = warped_pair(32, 0.25)
    plain = clg(a, b)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(clg(a, b), plain)
