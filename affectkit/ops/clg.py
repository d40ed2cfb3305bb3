"""Combined local-global (CLG) optical flow: Lucas-Kanade's window and Horn-Schunck's smoothness in one energy.

Bruhn, Weickert and Schnoerr, "Lucas/Kanade meets Horn/Schunck", IJCV 61(3), 2005, the quadratic form, for motions of up
to about two pixels: one scale, and few warps. Batched, differentiable, on any device. With the symbols of
`affectkit.ops.lucas_kanade` and a small window K, each warp makes

    sum over pixels of  K*(Ix u + Iy v + It)^2,  w being that of the pixel in the middle
    + alpha / 4  sum over pairs of neighbors of  |w - w'|^2

small. Where that is least, at every pixel,

    | K*IxIx + alpha   K*IxIy         |              | K*IxIt |
    | K*IxIy           K*IyIy + alpha | w  = alpha m - | K*IyIt |

with m the mean of the four neighbors' flow; beyond the border stands the pixel itself. Iterations put the last flow
into m (Jacobi) and go on along the last step, by factors that suit eigenvalues up to `RADIUS` (Chebyshev):

    w_1 = J(w_0),  w_(k+1) = w_(k-1) + o_k (J(w_k) - w_(k-1))
    o_1 = 1 / (1 - r^2 / 2),  o_k = 1 / (1 - r^2 o_(k-1) / 4),  r = RADIUS
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.ops.images import (
    GaussianBlur,
    WarpedDifference,
    derivatives,
    derivatives_ref,
    gaussian_blur_ref,
    warped_difference_ref,
)

# gray levels of 255, squared: how much smoothness counts against gray values that differ
ALPHA = 1000 / 255**2
# pixels, iterations, iterations in each of these, pixels
WINDOW, WARPS, ITERATIONS, PRESMOOTH = 3.0, 2, 40, 0.8
# of the Jacobi iteration, as it is where there is little texture
RADIUS = 0.995


def clg(
    a: Tensor,
    b: Tensor,
    *,
    window: float = WINDOW,
    alpha: float = ALPHA,
    warps: int = WARPS,
    iterations: int = ITERATIONS,
    presmooth: float = PRESMOOTH,
) -> Tensor:
    """Flow from `a` to `b`; exactly zero where they are equal over the whole image.

    A gradient keeps three maps of the flow's size per iteration.

    Arguments:
        a: gray images `(N, H, W)` in [0, 1], float32 or float64.
        b: the images to which they moved, same shape.
        window: standard deviation of the window, pixels.
        alpha: weight of the smoothness, more than 0.
        warps: how often I2 is read anew at the flow, at least 1.
        iterations: in each of these, at least 1.
        presmooth: standard deviation of the blur before anything else, pixels.

    Returns:
        `(N, 2, H, W)`: u to the right and v downwards, pixels, on the grid of `a`.
    """
    # autocast would run the blurs in half precision, whose error is larger than these motions
    with torch.autocast(a.device.type, enabled=False):
        height, width = a.shape[-2:]
        images = GaussianBlur((height, width), presmooth, a)(torch.stack([a, b], dim=1))
        first, second = images[:, :1], images[:, 1:]
        blur = GaussianBlur((height, width), window, a)
        gradient = derivatives(first)
        ix, iy = gradient.chunk(2, dim=1)
        xx, yy, xy = blur(torch.cat([gradient * gradient, ix * iy], dim=1)).chunk(3, dim=1)
        xx, yy = xx + alpha, yy + alpha
        # at least alpha**2
        determinant = xx * yy - xy * xy
        # the inverse of the matrix; of u the square of y, and the other way round
        straight, crossed = torch.cat([yy, xx], dim=1) / determinant, xy / determinant
        # of the sum of four neighbors
        pull_straight, pull_crossed = straight * (alpha / 4), crossed * (alpha / 4)
        difference = WarpedDifference(first, second)
        flow = torch.zeros_like(images)
        for _ in range(warps):
            it = difference(flow) - ix * flow[:, :1] - iy * flow[:, 1:]
            t = blur(gradient * it)
            constant = torch.addcmul(crossed * t.flip(1), straight, t, value=-1)
            before = flow
            for factor in _factors(iterations):
                p = F.pad(flow, (1, 1, 1, 1), mode="replicate")
                around = p[..., 1:-1, :-2] + p[..., 1:-1, 2:] + p[..., :-2, 1:-1] + p[..., 2:, 1:-1]
                jacobi = torch.addcmul(constant, pull_straight, around)
                jacobi = torch.addcmul(jacobi, pull_crossed, around.flip(1), value=-1)
                before, flow = flow, torch.lerp(before, jacobi, factor)
        return flow


def clg_ref(
    a: Tensor,
    b: Tensor,
    *,
    window: float = WINDOW,
    alpha: float = ALPHA,
    warps: int = WARPS,
    iterations: int = ITERATIONS,
    presmooth: float = PRESMOOTH,
) -> Tensor:
    """The slow twin of `clg`: a system of two equations per pixel and iteration, written out. Same arguments."""
    pairs = [(gaussian_blur_ref(x, presmooth), gaussian_blur_ref(y, presmooth)) for x, y in zip(a, b, strict=True)]
    return torch.stack([_one_ref(x, y, window, alpha, warps, iterations) for x, y in pairs])


def _factors(iterations: int) -> Iterator[float]:
    factor = 1.0
    for k in range(iterations):
        if k:
            factor = 1 / (1 - RADIUS**2 * factor / (2 if k == 1 else 4))
        yield factor


def _one_ref(first: Tensor, second: Tensor, window: float, alpha: float, warps: int, iterations: int) -> Tensor:
    height, width = first.shape
    gx, gy = derivatives_ref(first)
    products = [[gaussian_blur_ref(p * q, window) for q in (gx, gy)] for p in (gx, gy)]
    flow = first.new_zeros(2, height, width)
    for _ in range(warps):
        it = warped_difference_ref(first, second, flow) - gx * flow[0] - gy * flow[1]
        right = torch.stack([gaussian_blur_ref(p * it, window) for p in (gx, gy)])
        last, factor = flow, 1.0
        for k in range(iterations):
            if k:
                factor = 1 / (1 - RADIUS**2 / 2) if k == 1 else 1 / (1 - RADIUS**2 * factor / 4)
            solved = []
            for y in range(height):
                for x in range(width):
                    matrix = torch.stack([torch.stack([entry[y, x] for entry in row]) for row in products])
                    beside = [flow[:, y, max(x - 1, 0)], flow[:, y, min(x + 1, width - 1)]]
                    beside += [flow[:, max(y - 1, 0), x], flow[:, min(y + 1, height - 1), x]]
                    mean = torch.stack(beside).mean(dim=0)
                    identity = torch.eye(2, dtype=first.dtype)
                    solved.append(torch.linalg.solve(matrix + alpha * identity, alpha * mean - right[:, y, x]))
            jacobi = torch.stack(solved, dim=1).reshape(2, height, width)
            last, flow = flow, last + factor * (jacobi - last)
    return flow
