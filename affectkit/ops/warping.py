"""Images read at where a flow points: bilinear, mirrored beyond the border, differentiable in image and flow."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """`I(x + w(x))`: images `(N, C, H, W)` brought back along a flow `(N, 2, H, W)`, u to the right and v down, pixels.

    Beyond the border stands the image mirrored at its outermost pixels. Gradients flow into both.
    """
    height, width = images.shape[-2:]
    rows = torch.arange(height, dtype=flow.dtype, device=flow.device)
    columns = torch.arange(width, dtype=flow.dtype, device=flow.device)
    x, y = columns + flow[:, 0], rows[:, None] + flow[:, 1]
    # with align_corners, -1 and 1 are the centers of the first and the last pixel
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def warp_ref(images: Tensor, flow: Tensor) -> Tensor:
    """The slow twin: one pixel after the other."""
    count, channels, height, width = images.shape
    pixels = []
    for n in range(count):
        for i in range(height):
            for j in range(width):
                x, y = _mirrored(j + flow[n, 0, i, j], width), _mirrored(i + flow[n, 1, i, j], height)
                left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
                right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
                upper = images[n, :, top, left] * (left + 1 - x) + images[n, :, top, right] * (x - left)
                lower = images[n, :, bottom, left] * (left + 1 - x) + images[n, :, bottom, right] * (x - left)
                pixels.append(upper * (top + 1 - y) + lower * (y - top))
    return torch.stack(pixels).view(count, height, width, channels).movedim(-1, 1)


def _mirrored(place: Tensor, size: int) -> Tensor:
    if size == 1:
        return place * 0
    # back and forth between the centers of the first and the last pixel
    period = 2 * (size - 1)
    turned = torch.remainder(place, period)
    return torch.where(turned > size - 1, period - turned, turned)
