"""How much faster Lucas-Kanade became, in one run: `python benchmarks/lucas_kanade.py`.

Before, every blur made its matrices anew and multiplied them whole, though most of a blur's matrix is zero, and the
first iteration had a blur of its own. Both take turns on the same noisy pairs, on one thread; printed are the least
time of each per pair, and the median of the ratios. Their flows are compared in float64.

Bars: at least as fast everywhere; flows apart by at most 1e-5 pixels.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.ops.images import gaussian
from affectkit.ops.lucas_kanade import LAMBDA, PRESMOOTH, WARPS, WINDOW, lucas_kanade

SIZES, BATCHES, SECONDS = (224, 128), (1, 16), 5.0
FASTER, APART = 1.0, 1e-5


@torch.no_grad()
def main() -> int:
    """Print a line per size and batch; 1 if a bar is missed."""
    torch.set_num_threads(1)
    print(f"{'':14}{'before, ms':>12}{'now, ms':>10}{'ratio':>8}{'apart, px':>12}")
    held = [_line(size, batch) for size in SIZES for batch in BATCHES]
    print(f"\nbars: {FASTER:g} times as fast, apart by {APART:g} px; {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _line(size: int, batch: int) -> bool:
    a, b = _pair(size, batch)
    times: dict[str, list[float]] = {"before": [], "now": []}
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(times["now"]) < 5:
        for name, flow in (("before", before), ("now", lucas_kanade)):
            started = time.perf_counter()
            flow(a, b)
            times[name].append((time.perf_counter() - started) / batch)
    ratio = statistics.median(old / new for old, new in zip(times["before"], times["now"], strict=True))
    apart = float((before(a.double(), b.double()) - lucas_kanade(a.double(), b.double())).abs().max())
    old, new = (min(found) * 1000 for found in times.values())
    print(f"{f'{batch} of {size}x{size}':14}{old:12.2f}{new:10.2f}{ratio:8.2f}{apart:12.1e}")
    return ratio >= FASTER and apart <= APART


def _pair(size: int, batch: int) -> tuple[Tensor, Tensor]:
    """Waves that move by up to half a pixel, with noise of one gray level, `(batch, size, size)` twice."""
    make = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")

    def waves(x: Tensor, y: Tensor) -> Tensor:
        parts = [torch.sin(p * x + q * y) for p, q in ((0.8, 0.3), (-0.4, 0.9), (0.2, 0.5))]
        noise = torch.randn(batch, size, size, generator=make) / 255
        return 0.5 + 0.1 * torch.stack(parts).sum(dim=0) + noise

    return waves(x, y), waves(x + 0.4 * torch.sin(y / 30), y + 0.3)


def before(a: Tensor, b: Tensor) -> Tensor:
    """`lucas_kanade` as it was."""
    images = _blur(torch.stack([a, b], dim=1), PRESMOOTH)
    first, second = images[:, :1], images[:, 1:]
    p = F.pad(first, (2, 2, 2, 2), mode="replicate")
    ix = (8 * (p[..., 2:-2, 3:-1] - p[..., 2:-2, 1:-3]) - (p[..., 2:-2, 4:] - p[..., 2:-2, :-4])) / 12
    iy = (8 * (p[..., 3:-1, 2:-2] - p[..., 1:-3, 2:-2]) - (p[..., 4:, 2:-2] - p[..., :-4, 2:-2])) / 12
    xx, xy, yy = _blur(torch.cat([ix * ix, ix * iy, iy * iy], dim=1), WINDOW).chunk(3, dim=1)
    xx, yy = xx + LAMBDA, yy + LAMBDA
    determinant = xx * yy - xy * xy
    flow = torch.zeros_like(images)
    height, width = a.shape[-2:]
    y, x = torch.meshgrid(torch.arange(height).to(a), torch.arange(width).to(a), indexing="ij")
    places = torch.stack([x, y])
    at_rest = _sample(second, places)
    for iteration in range(WARPS):
        warped = second + (_sample(second, places + flow) - at_rest) if iteration else second
        it = warped - first - ix * flow[:, :1] - iy * flow[:, 1:]
        xt, yt = _blur(torch.cat([ix * it, iy * it], dim=1), WINDOW).chunk(2, dim=1)
        flow = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant
    return flow


def _blur(images: Tensor, sigma: float) -> Tensor:
    rows, columns = (_matrix(size, sigma, images) for size in images.shape[-2:])
    return rows @ (images @ columns.t())


def _matrix(size: int, sigma: float, like: Tensor) -> Tensor:
    weights = gaussian(sigma, like)
    radius = len(weights) // 2
    sources = (torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)).clamp(0, size - 1)
    return like.new_zeros(size, size).scatter_add_(1, sources, weights.expand(size, -1))


def _sample(images: Tensor, places: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    grid = places.movedim(-3, -1) * places.new_tensor([2 / (width - 1), 2 / (height - 1)]) - 1
    grid = grid.expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)


if __name__ == "__main__":
    sys.exit(main())
