"""Maps that follow from a flow, magnitude and strain: shared by the front-ends that put them out or look at them."""

from __future__ import annotations

from collections.abc import Sequence as Items

import torch
import torch.nn.functional as F
from torch import Tensor


def flow_maps(flow: Tensor, channels: Items[str]) -> Tensor:
    """Flow `(N, 2, H, W)` with what `channels` name beside `u` and `v`, in their order: `(N, C, H, W)`."""
    maps = {"u": flow[:, :1], "v": flow[:, 1:]}
    if "strain" in channels:
        maps["strain"] = optical_strain(flow)
    if "magnitude" in channels:
        maps["magnitude"] = magnitude(flow).unsqueeze(1)
    return torch.cat([maps[name] for name in channels], dim=1)


def magnitude(flow: Tensor) -> Tensor:
    """Lengths `(..., H, W)` of flow `(..., 2, H, W)`; the gradient is zero where nothing moves."""
    return _root(flow.square().sum(dim=-3))


def optical_strain(flow: Tensor) -> Tensor:
    """Optical strain `sqrt(ux^2 + vy^2 + (uy + vx)^2 / 2)` of flow `(N, 2, H, W)`, as `(N, 1, H, W)`.

    Shreve, Godavarthy, Goldgof and Sarkar, "Macro- and micro-expression spotting in long videos using spatio-temporal
    strain", FG 2011. Forward differences; zero across the last row and column. Its gradient is zero where it is zero.
    """
    dx = F.pad(flow[..., :, 1:] - flow[..., :, :-1], (0, 1, 0, 0))
    dy = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    # the shear e_xy = (uy + vx) / 2 stands in the tensor twice: 2 e_xy^2, hence the half
    return _root(dx[:, :1] ** 2 + dy[:, 1:] ** 2 + (dy[:, :1] + dx[:, 1:]) ** 2 / 2)


def _root(squared: Tensor) -> Tensor:
    is_moved = squared > 0
    # the root's slope at 0 is infinite: without the inner `where`, infinity times zero is a NaN gradient
    return torch.where(is_moved, torch.sqrt(torch.where(is_moved, squared, torch.ones_like(squared))), squared)


def mirror(values: Tensor, channels: tuple[str, ...]) -> Tensor:
    """Maps `(..., C, H, W)` from left to right, with `u` of the other sign."""
    mirrored = values.flip(-1)
    signs = torch.tensor([-1.0 if name == "u" else 1.0 for name in channels], dtype=values.dtype, device=values.device)
    return mirrored * signs[:, None, None]
