"""TV-L1 against its slow twin, and against displacements that are known exactly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.tv_l1 import tv_l1, tv_l1_ref
from tests.test_lucas_kanade import endpoint_error, warped_pair

pytest.importorskip("numba")


def random_images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(17, 23), (1, 9), (9, 1), (3, 3), (2, 8)])
@pytest.mark.parametrize(("warps", "iterations"), [(1, 1), (2, 5), (3, 30)])
def test_it_equals_its_slow_twin(size: tuple[int, int], warps: int, iterations: int) -> None:
    a, b = random_images(2, 2, *size)
    fast, slow = (flow(a, b, warps=warps, iterations=iterations) for flow in (tv_l1, tv_l1_ref))
    assert fast.shape == (2, 2, *size)
    assert slow.abs().max() > (0.01 if min(size) > 1 else 0.001)
    # Of noise; each warp multiplies what float32 rounds.
    torch.testing.assert_close(fast, slow, rtol=1e-3, atol=2e-3)


def test_smooth_images_agree_to_a_few_thousandths_of_a_percent() -> None:
    a, b, _ = warped_pair(64, 1.0)
    torch.testing.assert_close(tv_l1(a, b), tv_l1_ref(a, b), rtol=0, atol=5e-5)


@pytest.mark.parametrize(("largest", "share"), [(0.1, 0.3), (0.5, 0.2), (1.0, 0.1), (2.0, 0.1)])
def test_known_displacements_are_found(largest: float, share: float) -> None:
    a, b, truth = warped_pair(64, largest)
    assert endpoint_error(tv_l1(a, b), truth) < share * endpoint_error(torch.zeros_like(truth), truth)


def test_what_stands_still_has_exactly_no_flow() -> None:
    images = random_images(2, 30, 20)
    assert torch.equal(tv_l1(images, images), torch.zeros(2, 2, 30, 20))
    assert torch.equal(tv_l1(images[:0], images[:0]), torch.zeros(0, 2, 30, 20))


def test_what_goes_in_stays_and_type_and_gradient_do_as_documented() -> None:
    a, b = random_images(2, 1, 12, 12).double().requires_grad_()
    before = a.detach().clone()
    found = tv_l1(a, b)
    assert torch.equal(a, before)
    assert (found.dtype, found.requires_grad) == (torch.float64, False)


def test_parts_of_larger_pictures_work() -> None:
    a, b = random_images(2, 1, 24, 40)[..., ::2, 4:30:2]
    assert torch.equal(tv_l1(a, b), tv_l1(a.clone(), b.clone()))


@pytest.mark.parametrize(("bad", "shown"), [(float("nan"), "nan"), (float("-inf"), "-inf"), (65535.0, "65535")])
def test_what_is_no_picture_is_refused(bad: float, shown: str) -> None:
    a = random_images(1, 8, 8)
    b = a.clone()
    b[0, 3, 3] = bad
    with pytest.raises(InputError) as caught:
        tv_l1(a, b)
    assert str(caught.value) == f"tv-l1: a gray value of {shown}; images have to be in [0, 1]"
