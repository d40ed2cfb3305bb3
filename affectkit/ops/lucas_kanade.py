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
from torch import Tensor

from affectkit.ops.images import (
    GaussianBlur,
    WarpedDifference,
    derivatives,
    derivatives_ref,
    gaussian,
    gaussian_blur_ref,
    warped_difference_ref,
)

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
        height, width = a.shape[-2:]
        images = GaussianBlur((height, width), presmooth, a)(torch.stack([a, b], dim=1))
        first, second = images[:, :1], images[:, 1:]
        blur = GaussianBlur((height, width), window, a)
        # derivatives of I1, not of the warped I2: the matrix on the left is then the same in every iteration
        gradient = derivatives(first)
        ix, iy = gradient.chunk(2, dim=1)
        # the first iteration, whose flow is zero, goes through the window together with the matrix
        sums = blur(torch.cat([gradient * gradient, ix * iy, gradient * (second - first)], dim=1))
        xx, yy, xy = sums[:, :1] + tikhonov, sums[:, 1:2] + tikhonov, sums[:, 2:3]
        # by Cauchy-Schwarz at least tikhonov**2, since the weights of K are positive: never 0 with a Tikhonov term
        determinant = xx * yy - xy * xy
        # Cramer's rule, on whole images at once: of u the square of y, and the other way round
        straight, crossed = torch.cat([yy, xx], dim=1) / determinant, xy / determinant
        t = sums[:, 3:]
        flow = torch.addcmul(crossed * t.flip(1), straight, t, value=-1)
        difference = WarpedDifference(first, second)
        for _ in range(warps - 1):
            # less Ix u + Iy v, so that w is solved for whole: the Tikhonov term pulls at the flow, not at its change
            it = torch.addcmul(difference(flow), ix, flow[:, :1], value=-1)
            t = blur(gradient * torch.addcmul(it, iy, flow[:, 1:], value=-1))
            flow = torch.addcmul(crossed * t.flip(1), straight, t, value=-1)
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
    pairs = [(gaussian_blur_ref(x, presmooth), gaussian_blur_ref(y, presmooth)) for x, y in zip(a, b, strict=True)]
    return torch.stack([_one_ref(x, y, window, warps, tikhonov) for x, y in pairs])


def _one_ref(first: Tensor, second: Tensor, window: float, warps: int, tikhonov: float) -> Tensor:
    height, width = first.shape
    weights = gaussian(window, first)
    radius = len(weights) // 2
    flow = first.new_zeros(2, height, width)
    for _ in range(warps):
        solved = []
        it = warped_difference_ref(first, second, flow)
        gradient = derivatives_ref(first).movedim(0, -1)
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
