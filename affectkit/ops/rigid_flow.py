"""The part of a flow that a head's motion explains: a similarity or an affine map, fitted robustly. Batched.

Places and flows are complex numbers, z = x + iy from the middle of the frame and f = u + iv, so that f = b + a z turns,
scales and shifts (a similarity, to first order), and f = b + a z + c conj(z) is any affine map. Least squares over the
pixels, weighted anew several times (IRLS), by the weights of Geman and McClure, "Bayesian image analysis", 1985:

    w = 1 / (1 + r^2 / (4 m))^2

r is how far a pixel is off the fit, and m the median of r^2 over the frame: at twice the median distance a weight is a
quarter, and what moves on its own, a brow or a corner of the mouth, soon has next to none.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from affectkit.ops.exporting import is_exporting

Model = Literal["similarity", "affine"]
# fits after the first one, whose weights are equal
ITERATIONS = 10
# A rigid motion is smooth: beyond this number of pixels along a side, every second or third of them says as much.
MOST = 64
# in units of the flow: residuals below this are rounding, not motion
LEAST_RESIDUAL = 1e-4


def rigid_flow(flow: Tensor, model: Model, *, iterations: int = ITERATIONS, most: int = MOST) -> Tensor:
    """What `model` explains of a flow. Differentiable, on any device.

    Arguments:
        flow: `(N, 2, H, W)`, u to the right and v downwards; H and W at least 3, float32 or float64.
        model: `similarity` has four numbers per frame, `affine` six.
        iterations: fits after the first one; at least 0.
        most: pixels along a side that the fit looks at, at the most; at least 3.

    Returns:
        `(N, 2, H, W)` in the same unit; of no flow zero.
    """
    if model == "similarity" and is_exporting():
        return _similarity(flow, iterations, most)
    # autocast would take half precision for the sums
    with torch.autocast(flow.device.type, enabled=False):
        height, width = flow.shape[-2:]
        seen = _every(height, most), _every(width, most)
        y, x = (_centered(size, max(height, width), flow) for size in (height, width))
        places = torch.complex(x.expand(height, -1), y[:, None].expand(-1, width).contiguous())
        basis = _basis(places[seen].flatten(), model)
        found = torch.complex(flow[:, 0, *seen], flow[:, 1, *seen]).flatten(1)
        weights = torch.ones_like(found.real)
        for iteration in range(iterations + 1):
            weighed = weights.unsqueeze(1) * basis.conj()
            coefficients = torch.linalg.solve(weighed @ basis.t(), weighed @ found.unsqueeze(2)).squeeze(2)
            if iteration < iterations:
                off = found - coefficients @ basis
                squared = off.real.square() + off.imag.square()
                median = squared.median(dim=1, keepdim=True).values.clamp(min=LEAST_RESIDUAL**2)
                weights = 1 / (1 + squared / (4 * median)).square()
        explained = (coefficients @ _basis(places.flatten(), model)).unflatten(1, (height, width))
        return torch.stack([explained.real, explained.imag], dim=1)


def _similarity(flow: Tensor, iterations: int, most: int) -> Tensor:
    """The same with real numbers and Cramer's rule, since a graph may have neither complex numbers nor a solver."""
    height, width = flow.shape[-2:]
    rows, columns = _every(height, most), _every(width, most)
    y, x = (_centered(size, max(height, width), flow) for size in (height, width))
    x, y = x.expand(height, -1), y[:, None].expand(-1, width)
    seen_x, seen_y = x[rows, columns].flatten(), y[rows, columns].flatten()
    u, v = (flow[:, axis, rows, columns].flatten(1) for axis in (0, 1))
    weights = torch.ones_like(u)
    for iteration in range(iterations + 1):
        total, of_x, of_y = (sums.sum(dim=1, keepdim=True) for sums in (weights, weights * seen_x, weights * seen_y))
        of_squares = (weights * (seen_x.square() + seen_y.square())).sum(dim=1, keepdim=True)
        of_u, of_v = ((weights * part).sum(dim=1, keepdim=True) for part in (u, v))
        # of conj(z) f
        along = (weights * (seen_x * u + seen_y * v)).sum(dim=1, keepdim=True)
        across = (weights * (seen_x * v - seen_y * u)).sum(dim=1, keepdim=True)
        determinant = total * of_squares - of_x.square() - of_y.square()
        zoom = (total * along - of_x * of_u - of_y * of_v) / determinant
        turn = (total * across - of_x * of_v + of_y * of_u) / determinant
        shift_u = (of_squares * of_u - of_x * along + of_y * across) / determinant
        shift_v = (of_squares * of_v - of_x * across - of_y * along) / determinant
        if iteration < iterations:
            off_u = u - shift_u - zoom * seen_x + turn * seen_y
            off_v = v - shift_v - zoom * seen_y - turn * seen_x
            squared = off_u.square() + off_v.square()
            lower = squared.topk((squared.shape[1] + 1) // 2, dim=1, largest=False, sorted=False).values
            median = lower.amax(dim=1, keepdim=True).clamp(min=LEAST_RESIDUAL**2)
            weights = 1 / (1 + squared / (4 * median)).square()
    shift_u, shift_v, zoom, turn = (one.unsqueeze(2) for one in (shift_u, shift_v, zoom, turn))
    return torch.stack([shift_u + zoom * x - turn * y, shift_v + zoom * y + turn * x], dim=1)


def rigid_flow_ref(flow: Tensor, model: Model, *, iterations: int = ITERATIONS, most: int = MOST) -> Tensor:
    """The slow twin: frame by frame with real numbers, each fit by numpy's `lstsq`, in float64."""
    height, width = flow.shape[-2:]
    rows_seen, columns_seen = _every(height, most), _every(width, most)
    half = max(height, width) / 2
    y, x = (np.mgrid[:height, :width] - np.array([height - 1, width - 1])[:, None, None] / 2) / half
    one, zero = np.ones_like(x), np.zeros_like(x)
    columns = {
        "similarity": [(one, zero), (zero, one), (x, y), (-y, x)],
        "affine": [(one, zero), (zero, one), (x, zero), (y, zero), (zero, x), (zero, y)],
    }[model]
    # (2, H, W, number of unknowns)
    design = np.stack([np.stack(column) for column in columns], axis=-1)
    seen = design[:, rows_seen, columns_seen]
    explained = []
    for frame in flow.double().cpu().numpy():
        given = frame[:, rows_seen, columns_seen]
        weights = np.ones_like(given[0])
        for _ in range(iterations + 1):
            root = np.sqrt(weights)
            rows, right = (root[..., None] * seen).reshape(-1, len(columns)), (root * given).reshape(-1)
            solution = np.linalg.lstsq(rows, right, rcond=None)[0]
            squared = ((given - seen @ solution) ** 2).sum(axis=0)
            # the lower of the two in the middle, as torch has it
            median = np.sort(squared, axis=None)[(squared.size - 1) // 2]
            weights = 1 / (1 + squared / (4 * max(median, LEAST_RESIDUAL**2))) ** 2
        explained.append(design @ solution)
    return torch.from_numpy(np.stack(explained)).to(flow)


def _every(size: int, most: int) -> slice:
    # along each side on its own: three pixels in a row would leave an affine map open
    return slice(None, None, math.ceil(size / most))


def _centered(size: int, longer: int, like: Tensor) -> Tensor:
    """Places along a side from its middle, in halves of the longer side, so that the sums are of one size."""
    return (torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2) / (longer / 2)


def _basis(places: Tensor, model: Model) -> Tensor:
    """`(2 or 3, P)` of places `(P,)`."""
    ones = torch.ones_like(places)
    parts = [ones, places] if model == "similarity" else [ones, places, places.conj()]
    return torch.stack([part.resolve_conj() for part in parts])
