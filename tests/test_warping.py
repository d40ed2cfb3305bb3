"""Warping against its slow twin."""

from __future__ import annotations

import pytest
import torch

from affectkit.ops.warping import warp, warp_ref


@pytest.mark.parametrize("size", [(5, 6), (1, 4), (1, 1)])
@pytest.mark.parametrize("scale", [0.3, 6.0])
def test_it_equals_the_slow_twin_with_gradients(size: tuple[int, int], scale: float) -> None:
    make = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, *size, generator=make, dtype=torch.float64, requires_grad=True)
    flow = (scale * torch.randn(2, 2, *size, generator=make, dtype=torch.float64)).requires_grad_()
    fast, slow = warp(images, flow), warp_ref(images, flow)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn(fast.shape, generator=make, dtype=torch.float64)
    ours = torch.autograd.grad((fast * weight).sum(), [images, flow])
    theirs = torch.autograd.grad((slow * weight).sum(), [images, flow])
    torch.testing.assert_close(ours[0], theirs[0])
    # an image of one row has no slope across it
    if min(size) > 1:
        torch.testing.assert_close(ours[1], theirs[1])


def test_a_flow_of_whole_pixels_shifts() -> None:
    images = torch.rand(1, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 6, 7)
    flow[:, 0], flow[:, 1] = 2.0, -1.0
    torch.testing.assert_close(warp(images, flow)[..., 1:, :-2], images[..., :-1, 2:])
