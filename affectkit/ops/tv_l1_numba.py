"""The kernel of `tv_l1`: its iterations fused, so that each passes over memory once. Symbols as there.

All of w comes from the p before, and all of p from the new w: row i of p follows when row i + 1 of w is done. Rows are
functions of their own, since the compiler then knows that they do not overlap, and makes vector instructions.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler
from numpy.typing import NDArray

from affectkit.ops.tv_l1 import KEYS, LAMBDA, LEAST_GRADIENT, TAU, THETA

Image = NDArray[np.float32]
F = np.float32
# Iterations in one pass over the image: their rows stay in a cache of about 200 kB up to 300 columns.
_TOGETHER = 8
_BOUND, _RATE = F(LAMBDA * THETA), F(TAU / THETA)


class _NoAlias(Compiler):  # type: ignore[misc]
    """Tells LLVM that arrays do not overlap, which is true of all of the below."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


# not `reassoc`: sums in another order would not be the same on every machine
_FAST = {"contract", "nsz", "arcp", "nnan", "ninf"}
_compiled = numba.njit(
    nogil=True, fastmath=_FAST, error_model="numpy", boundscheck=False, cache=True, pipeline_class=_NoAlias
)


@_compiled
def solve(first: Image, second: Image, flow: Image, warps: int, iterations: int) -> None:
    """Write the flow from `first` to `second`, `(H, W)` on the scale of 0 to 255, into `flow` `(2, H, W)` of zeros."""
    height, width = first.shape
    u, v = flow[0], flow[1]
    # with the zeros before the first column and row, so that no pixel is a special case
    p_x, p_y = np.zeros((2, height, width + 1), np.float32), np.zeros((2, height + 1, width), np.float32)
    scratch = np.empty((5, height, width), np.float32)
    warped, gx, gy, inverse, constant = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    for warp in range(warps):
        if warp == 0:
            warped[:] = second
        else:
            _warp(second, u, v, warped)
        _gradient(warped, gx, gy)
        for i in range(height):
            _linearize(warped, first, u, v, gx, gy, inverse, constant, i)
        for begun in range(0, iterations, _TOGETHER):
            together = min(_TOGETHER, iterations - begun)
            for front in range(height + 2 * together - 1):
                for k in range(together):
                    i = front - 2 * k
                    if 0 <= i < height:
                        _move(u, v, gx, gy, inverse, constant, p_x[0], p_y[0], p_x[1], p_y[1], i)
                    if 0 < i <= height:
                        _smooth(u, p_x[0], p_y[0], i - 1, min(i, height - 1))
                        _smooth(v, p_x[1], p_y[1], i - 1, min(i, height - 1))


@_compiled
def _linearize(
    warped: Image, first: Image, u: Image, v: Image, gx: Image, gy: Image, inverse: Image, constant: Image, i: int
) -> None:
    for j in range(warped.shape[1]):
        x, y = gx[i, j], gy[i, j]
        inverse[i, j] = F(1) / (x * x + y * y + F(LEAST_GRADIENT))
        constant[i, j] = warped[i, j] - first[i, j] - x * u[i, j] - y * v[i, j]


@_compiled
def _move(
    u: Image, v: Image, gx: Image, gy: Image, inverse: Image, constant: Image,
    p_ux: Image, p_uy: Image, p_vx: Image, p_vy: Image, i: int,
) -> None:  # fmt: skip
    """Row i of w."""
    for j in range(u.shape[1]):
        x, y, u_before, v_before = gx[i, j], gy[i, j], u[i, j], v[i, j]
        rho = constant[i, j] + x * u_before + y * v_before
        step = min(max(rho * inverse[i, j], -_BOUND), _BOUND)
        div_u = p_ux[i, j + 1] - p_ux[i, j] + p_uy[i + 1, j] - p_uy[i, j]
        div_v = p_vx[i, j + 1] - p_vx[i, j] + p_vy[i + 1, j] - p_vy[i, j]
        u[i, j] = u_before - x * step + F(THETA) * div_u
        v[i, j] = v_before - y * step + F(THETA) * div_v


@_compiled
def _smooth(w: Image, p_x: Image, p_y: Image, i: int, below: int) -> None:
    """Row i of p of one component."""
    last = w.shape[1] - 1
    for j in range(last):
        x, y = w[i, j + 1] - w[i, j], w[below, j] - w[i, j]
        share = F(1) / (F(1) + _RATE * np.sqrt(x * x + y * y))
        p_x[i, j + 1] = (p_x[i, j + 1] + _RATE * x) * share
        p_y[i + 1, j] = (p_y[i + 1, j] + _RATE * y) * share
    y = w[below, last] - w[i, last]
    p_y[i + 1, last] = (p_y[i + 1, last] + _RATE * y) / (F(1) + _RATE * abs(y))


@_compiled
def _gradient(image: Image, gx: Image, gy: Image) -> None:
    height, width = image.shape
    near, far = F(8 / 12), F(1 / 12)
    for i in range(height):
        up, down = max(0, i - 1), min(height - 1, i + 1)
        up2, down2 = max(0, i - 2), min(height - 1, i + 2)
        for j in range(width):
            gy[i, j] = near * (image[down, j] - image[up, j]) - far * (image[down2, j] - image[up2, j])
        for j in range(2, width - 2):
            gx[i, j] = near * (image[i, j + 1] - image[i, j - 1]) - far * (image[i, j + 2] - image[i, j - 2])
        for j in range(width):
            if j < 2 or j >= width - 2:
                left, right = image[i, max(0, j - 1)], image[i, min(width - 1, j + 1)]
                left2, right2 = image[i, max(0, j - 2)], image[i, min(width - 1, j + 2)]
                gx[i, j] = near * (right - left) - far * (right2 - left2)


@_compiled
def _warp(image: Image, u: Image, v: Image, out: Image) -> None:
    height, width = image.shape
    for i in range(height):
        for j in range(width):
            x, y = min(max(F(j) + u[i, j], F(0)), F(width - 1)), min(max(F(i) + v[i, j], F(0)), F(height - 1))
            left, top = int(np.floor(x)), int(np.floor(y))
            x0, x1, x2, x3 = _keys(x - F(left))
            y0, y1, y2, y3 = _keys(y - F(top))
            a, c, d = max(0, left - 1), min(width - 1, left + 1), min(width - 1, left + 2)
            value = F(0)
            for down, weight in ((-1, y0), (0, y1), (1, y2), (2, y3)):
                row = image[min(max(top + down, 0), height - 1)]
                value += weight * (x0 * row[a] + x1 * row[left] + x2 * row[c] + x3 * row[d])
            out[i, j] = value


@numba.njit(fastmath=_FAST, inline="always")
def _keys(t: Any) -> Any:
    """Weights of the four neighbors of a point a share `t` beyond the second one; they sum to 1."""
    k, s = F(KEYS), F(1) - t
    first = ((k * (t + F(1)) - F(5) * k) * (t + F(1)) + F(8) * k) * (t + F(1)) - F(4) * k
    second = ((k + F(2)) * t - (k + F(3))) * t * t + F(1)
    third = ((k + F(2)) * s - (k + F(3))) * s * s + F(1)
    return first, second, third, F(1) - first - second - third
