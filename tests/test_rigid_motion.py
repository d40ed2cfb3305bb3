"""The motion of the head taken out of flow: against its slow twin, and where it is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affectkit.ops.rigid_motion import subtract_rigid, subtract_rigid_ref


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def head(height: int, width: int) -> Tensor:
    """A shift by (0.7, -0.4) pixels, a turn by 0.01 and a zoom by 0.004, `(1, 2, H, W)`."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    return torch.stack([0.7 + 0.004 * x - 0.01 * y, -0.4 + 0.01 * x + 0.004 * y]).unsqueeze(0)


def mouth(height: int, width: int) -> Tensor:
    """Down by a pixel in an eighth of the map."""
    flow = torch.zeros(1, 2, height, width, dtype=torch.float64)
    flow[:, 1, height * 5 // 8 : height * 7 // 8, width // 4 : width * 3 // 4] = 1.0
    return flow


@pytest.mark.parametrize("size", [(16, 20), (21, 9), (4, 4), (1, 1)])
def test_it_equals_its_slow_twin(size: tuple[int, int]) -> None:
    flow = noise(3, 2, *size) + head(*size)
    torch.testing.assert_close(subtract_rigid(flow), subtract_rigid_ref(flow))


def test_its_gradient_equals_that_of_its_slow_twin() -> None:
    found = []
    for function in (subtract_rigid, subtract_rigid_ref):
        flow = (noise(2, 2, 9, 12) + head(9, 12)).requires_grad_()
        (function(flow) * noise(2, 2, 9, 12, seed=1)).sum().backward()  # type: ignore[no-untyped-call]
        assert flow.grad is not None
        found.append(flow.grad)
    torch.testing.assert_close(found[0], found[1])


def test_a_moving_head_is_at_rest() -> None:
    assert subtract_rigid(head(32, 40)).abs().max() < 1e-5


def test_what_moves_in_its_own_way_stays() -> None:
    own = mouth(32, 32)
    assert (subtract_rigid(own + head(32, 32)) - own).abs().max() < 1e-3
    # least squares alone would make a tenth of the motion of the whole face
    torch.testing.assert_close(subtract_rigid(own), own, rtol=0, atol=1e-3)


def test_maps_do_not_mix_and_none_moves_nothing() -> None:
    flow = torch.cat([mouth(16, 16), head(16, 16), torch.zeros(1, 2, 16, 16)])
    torch.testing.assert_close(subtract_rigid(flow)[1:2], subtract_rigid(flow[1:2]))
    assert not subtract_rigid(flow)[2].any()


def test_float32_is_enough_and_autocast_changes_nothing() -> None:
    flow = (mouth(32, 32) + head(32, 32)).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = subtract_rigid(flow)
    torch.testing.assert_close(found, mouth(32, 32).float(), rtol=0, atol=1e-3)
