"""TV-L1 optical flow for motions of up to about two pixels: one scale, since a pyramid brings nothing there.

Zach, Pock and Bischof, "A duality based approach for realtime TV-L1 optical flow", DAGM 2007. The flow w = (u, v) makes

    lambda |I2(x + w) - I1(x)| + |grad u| + |grad v|

small, by alternating, with I2 linearized around the flow before the last warp, g = grad I2(x + w0):

    rho = I2(x + w0) - g w0 - I1 + g w
    w  <-  w - g clip(rho / |g|^2, -lambda theta, lambda theta) + theta div p        (all of w from all of p)
    p  <-  (p + tau / theta grad w) / (1 + tau / theta |grad w|)                      (all of p from all of w)

p is a vector for u and one for v. Derivatives of images are central over five points, those of w forward, with zero
beyond the last row and column, and div is minus their adjoint. Images are on the scale of 0 to 255, where lambda is
0.15 and theta 0.3 in the usual code.

`tv_l1` needs numba (`affectkit[fast]`): every iteration passes once over memory. `tv_l1_ref` is what it computes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.errors import InputError, MissingDependencyError

LAMBDA, THETA, TAU = 0.15, 0.3, 0.25
# More iterations find motions of a tenth of a pixel better (30: by 15 %), and those above a half no better.
WARPS, ITERATIONS = 3, 20
# Added to |g|^2, gray levels squared: without texture there is nothing to divide by.
LEAST_GRADIENT = 1e-6
# Of images that should be in [0, 1]: far above what any rounding gives, and far below what overflows.
LARGEST = 1000.0
# The steepness of the bicubic kernel at its middle (Keys, 1981), as torch and OpenCV have it.
KEYS = -0.75

Array = NDArray[np.float64]


@torch.no_grad()
def tv_l1(a: Tensor, b: Tensor, *, warps: int = WARPS, iterations: int = ITERATIONS) -> Tensor:
    """Flow from `a` to `b`, on the CPU, pair by pair and without gradient; exactly zero where the images are equal.

    Arguments:
        a: gray images `(N, H, W)` in [0, 1].
        b: the images to which they moved, same shape.
        warps: how often I2 is linearized anew, at least 1.
        iterations: after each of these.

    Returns:
        `(N, 2, H, W)`: u to the right and v downwards, pixels, on the grid of `a`.

    Raises:
        InputError: a value is not finite, or far outside [0, 1].
        MissingDependencyError: numba is not installed.
    """
    check_numba()
    for images in (a, b):
        # NaN is not smaller than anything
        if not (images.abs() <= LARGEST).all():
            worst = float(images[~(images.abs() <= LARGEST)][0])
            raise InputError(f"tv-l1: a gray value of {worst:g}; images have to be in [0, 1]")
    from affectkit.ops.tv_l1_numba import solve

    first, second = ((images.detach().float() * 255).cpu().contiguous().numpy() for images in (a, b))
    flows = np.zeros((len(first), 2, *first.shape[1:]), np.float32)
    for x, y, flow in zip(first, second, flows, strict=True):
        solve(x, y, flow, warps, iterations)
    return torch.from_numpy(flows).to(a)


def check_numba() -> None:
    """Raise MissingDependencyError unless numba can be imported."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "tv-l1: needs numba, which is not installed; run pip install 'affectkit[fast]'"
        ) from error


def tv_l1_ref(a: Tensor, b: Tensor, *, warps: int = WARPS, iterations: int = ITERATIONS) -> Tensor:
    """The slow twin of `tv_l1`: the formulas above on whole images, in float64. Same arguments and result."""
    pairs = zip(a.double().cpu().numpy() * 255, b.double().cpu().numpy() * 255, strict=True)
    return torch.from_numpy(np.stack([_one_ref(x, y, warps, iterations) for x, y in pairs])).to(a)


def _one_ref(first: Array, second: Array, warps: int, iterations: int) -> Array:
    w, p = np.zeros((2, *first.shape)), np.zeros((2, 2, *first.shape))
    for _ in range(warps):
        warped = _warped_ref(second, w)
        g = np.stack([_derivative_ref(warped, 1), _derivative_ref(warped, 0)])
        constant = warped - first - (g * w).sum(axis=0)
        for _ in range(iterations):
            rho = constant + (g * w).sum(axis=0)
            step = np.clip(rho / ((g**2).sum(axis=0) + LEAST_GRADIENT), -LAMBDA * THETA, LAMBDA * THETA)
            w = w - g * step + THETA * _divergence_ref(p)
            gradient = np.stack([_forward_ref(w, 2), _forward_ref(w, 1)], axis=1)
            size = np.sqrt((gradient**2).sum(axis=1, keepdims=True))
            p = (p + TAU / THETA * gradient) / (1 + TAU / THETA * size)
    return w


def _forward_ref(values: Array, axis: int) -> Array:
    last = np.take(values, [-1], axis=axis)
    return np.diff(values, axis=axis, append=last)


def _divergence_ref(p: Array) -> Array:
    """Of p `(2, 2, H, W)`, whose last column and row along its own direction are zero: `(2, H, W)`."""
    zero_x, zero_y = np.zeros_like(p[:, 0, :, :1]), np.zeros_like(p[:, 1, :1])
    return np.diff(p[:, 0], axis=2, prepend=zero_x) + np.diff(p[:, 1], axis=1, prepend=zero_y)


def _derivative_ref(image: Array, axis: int) -> Array:
    size = image.shape[axis]

    def at(offset: int) -> Array:
        return np.take(image, np.clip(np.arange(size) + offset, 0, size - 1), axis=axis)

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12


def _warped_ref(image: Array, w: Array) -> Array:
    """I(x + w) by bicubic interpolation; beyond the border the image goes on as its last row or column."""
    height, width = image.shape
    x = np.clip(np.arange(width) + w[0], 0, width - 1)
    y = np.clip(np.arange(height)[:, None] + w[1], 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    warped = np.zeros_like(image)
    for down in (-1, 0, 1, 2):
        for right in (-1, 0, 1, 2):
            rows, columns = np.clip(top + down, 0, height - 1), np.clip(left + right, 0, width - 1)
            warped += _keys_ref(y - top - down) * _keys_ref(x - left - right) * image[rows, columns]
    return warped


def _keys_ref(distance: Array) -> Array:
    d = np.abs(distance)
    near = ((KEYS + 2) * d - (KEYS + 3)) * d * d + 1
    far = ((KEYS * d - 5 * KEYS) * d + 8 * KEYS) * d - 4 * KEYS
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
