"""Dense Lucas-Kanade optical flow: batched, differentiable, on any device.

Lucas and Kanade, "An iterative image registration technique", IJCAI 1981, with a Gaussian window, and linearized around
the current flow of the whole window, so that one iteration is one warp. Made for motions of up to about two pixels: no
pyramid, a wide window, and a small Tikhonov term that pulls the flow to zero where there is no texture.

Symbols: I1, I2 the two images; w = (u, v) the flow in pixels, I2(x + w(x)) = I1(x); Ix, Iy the derivatives of I1;
It = I2(x + w) - I1 - Ix u - Iy v; K the Gaussian window; lambda the Tikhonov term. Each iteration solves, per pixel,

    | K*IxIx + lambda   K*IxIy          |         | K*IxIt |
    | K*IxIy            K*IyIy + lambda | w  =  - | K*IyIt |
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# (one gray level of 255) squared: below this the image gradient is sensor noise
LAMBDA = 1 / 255**2
# pixels, iterations, pixels: a wide window, since one pixel says little about a motion below the noise
WINDOW, WARPS, PRESMOOTH = 6.0, 3, 0.8


def lucas_kanade(
    a: Tensor,
    b: Tensor,
    *,
    window: float = WINDOW,
    warps: int = WARPS,
    presmooth: float = PRESMOOTH,
    tikhonov: float = LAMBDA,
) -> Tensor:
    """Flow from `a` to `b`; exactly zero where they are equal over the whole image.

    Arguments:
        a: gray images `(N, H, W)` in [0, 1], float32 or float64.
        b: the images to which they moved, same shape.
        window: standard deviation of the window, pixels.
        warps: iterations, at least 1.
        presmooth: standard deviation of the blur before anything else, pixels.
        tikhonov: added to the diagonal; 0 gives NaN where there is no texture.

    Returns:
        `(N, 2, H, W)`: u to the right and v downwards, pixels, on the grid of `a`.
    """
    # autocast would run the blurs in half precision, whose error is larger than these motions
    with torch.autocast(a.device.type, enabled=False):
        images = gaussian_blur(torch.stack([a, b], dim=1), presmooth)
        first, second = images[:, :1], images[:, 1:]
        # derivatives of I1, not of the warped I2: the matrix on the left is then the same in every iteration
        ix, iy = _derivatives(first)
        xx, xy, yy = gaussian_blur(torch.cat([ix * ix, ix * iy, iy * iy], dim=1), window).chunk(3, dim=1)
        xx, yy = xx + tikhonov, yy + tikhonov
        # by Cauchy-Schwarz at least tikhonov**2, since the weights of K are positive: never 0 with a Tikhonov term
        determinant = xx * yy - xy * xy
        # (N, 2, H, W) as well: two images there, two components here
        flow = torch.zeros_like(images)
        grid = _pixel_grid(first)
        at_rest = _sample(second, grid)
        for iteration in range(warps):
            warped = second
            if iteration:
                # sampling at rest errs by rounding; subtracting it keeps a still image exactly still
                warped = second + (_sample(second, grid + flow) - at_rest)
            # less Ix u + Iy v, so that w is solved for whole: the Tikhonov term pulls at the flow, not at its change
            it = warped - first - ix * flow[:, :1] - iy * flow[:, 1:]
            xt, yt = gaussian_blur(torch.cat([ix * it, iy * it], dim=1), window).chunk(2, dim=1)
            # Cramer's rule, on whole images at once
            flow = torch.cat([xy * yt - yy * xt, xy * xt - xx * yt], dim=1) / determinant
        return flow


def lucas_kanade_ref(
    a: Tensor,
    b: Tensor,
    *,
    window: float = WINDOW,
    warps: int = WARPS,
    presmooth: float = PRESMOOTH,
    tikhonov: float = LAMBDA,
) -> Tensor:
    """The slow twin of `lucas_kanade`: one least-squares problem per pixel, written out. Same arguments and result."""
    pairs = [(_blur_ref(x, presmooth), _blur_ref(y, presmooth)) for x, y in zip(a, b, strict=True)]
    return torch.stack([_one_ref(x, y, window, warps, tikhonov) for x, y in pairs])


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur `(..., H, W)` with a Gaussian cut off at three `sigma`; the border is repeated.

    As two matrix products: on a CPU several times as fast as convolutions with one channel.
    """
    rows, columns = (_blur_matrix(size, sigma, images) for size in images.shape[-2:])
    return rows @ (images @ columns.t())


def _blur_matrix(size: int, sigma: float, like: Tensor) -> Tensor:
    weights = _gaussian(sigma, like)
    radius = len(weights) // 2
    pixels = torch.arange(size, device=like.device)
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    sources = (pixels[:, None] + offsets).clamp(0, size - 1)
    # added, not written: at the border the same pixel is a source several times
    return like.new_zeros(size, size).scatter_add_(1, sources, weights.expand(size, -1))


def _gaussian(sigma: float, like: Tensor) -> Tensor:
    radius = max(1, int(3 * sigma + 0.5))
    x = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    weights = torch.exp(-((x / sigma) ** 2) / 2)
    # cut off, the Gaussian no longer sums to 1, and a constant image has to stay as it is
    return weights / weights.sum()


def _derivatives(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences over five points, `(N, C, H, W)` each; the border is repeated."""
    p = F.pad(images, (2, 2, 2, 2), mode="replicate")
    # the stencil (1, -8, 0, 8, -1) / 12: an error of fourth order, where (-1, 0, 1) / 2 has second
    ix = (8 * (p[..., 2:-2, 3:-1] - p[..., 2:-2, 1:-3]) - (p[..., 2:-2, 4:] - p[..., 2:-2, :-4])) / 12
    iy = (8 * (p[..., 3:-1, 2:-2] - p[..., 1:-3, 2:-2]) - (p[..., 4:, 2:-2] - p[..., :-4, 2:-2])) / 12
    return ix, iy


def _pixel_grid(images: Tensor) -> Tensor:
    """`(2, H, W)`: column and row of every pixel."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, dtype=images.dtype, device=images.device)
    columns = torch.arange(width, dtype=images.dtype, device=images.device)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))


def _sample(images: Tensor, positions: Tensor) -> Tensor:
    """Bilinear values of `(N, 1, H, W)` at `positions` (column, row) in pixels, `(N, 2, H, W)` or `(2, H, W)`.

    Not torch's bicubic, whose slope at a pixel is half as steep again as the image's: the iteration would settle below
    the true motion, with twice the error at a quarter of a pixel.
    """
    height, width = images.shape[-2:]
    # with align_corners, -1 and 1 are the centers of the first and the last pixel
    scale = positions.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)])
    grid = (positions.movedim(-3, -1) * scale - 1).expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)


def _one_ref(first: Tensor, second: Tensor, window: float, warps: int, tikhonov: float) -> Tensor:
    height, width = first.shape
    weights = _gaussian(window, first)
    radius = len(weights) // 2
    flow = first.new_zeros(2, height, width)
    for _ in range(warps):
        solved = []
        it = _bilinear_ref(second, flow) - first
        gradient = torch.stack([_difference_ref(first, 1), _difference_ref(first, 0)], dim=-1)
        it = it - gradient[..., 0] * flow[0] - gradient[..., 1] * flow[1]
        for y in range(height):
            for x in range(width):
                rows = (torch.arange(-radius, radius + 1) + y).clamp(0, height - 1)
                columns = (torch.arange(-radius, radius + 1) + x).clamp(0, width - 1)
                k = (weights[:, None] * weights).reshape(-1, 1)
                g = gradient[rows][:, columns].reshape(-1, 2)
                normal = g.t() @ (k * g) + tikhonov * torch.eye(2, dtype=g.dtype)
                t = it[rows][:, columns].reshape(-1, 1)
                solved.append(torch.linalg.solve(normal, -g.t() @ (k * t)))
        flow = torch.cat(solved, dim=1).reshape(2, height, width)
    return flow


def _difference_ref(image: Tensor, dim: int) -> Tensor:
    size = image.shape[dim]

    def at(offset: int) -> Tensor:
        return image.index_select(dim, (torch.arange(size) + offset).clamp(0, size - 1))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12


def _blur_ref(image: Tensor, sigma: float) -> Tensor:
    weights = _gaussian(sigma, image)
    radius = len(weights) // 2
    for dim in (0, 1):
        size = image.shape[dim]
        shifted = [
            image.index_select(dim, (torch.arange(size) + offset).clamp(0, size - 1))
            for offset in range(-radius, radius + 1)
        ]
        image = torch.stack([weight * part for weight, part in zip(weights, shifted, strict=True)]).sum(dim=0)
    return image


def _bilinear_ref(image: Tensor, flow: Tensor) -> Tensor:
    height, width = image.shape
    x = (torch.arange(width) + flow[0]).clamp(0, width - 1)
    y = (torch.arange(height)[:, None] + flow[1]).clamp(0, height - 1)
    # the corners are constants; the gradient flows through the weights
    left, top = x.detach().floor().long(), y.detach().floor().long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    upper = image[top, left] * (left + 1 - x) + image[top, right] * (x - left)
    lower = image[bottom, left] * (left + 1 - x) + image[bottom, right] * (x - left)
    return upper * (top + 1 - y) + lower * (y - top)
