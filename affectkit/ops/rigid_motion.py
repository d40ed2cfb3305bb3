"""The motion of the head taken out of a flow: what shift, turn and zoom of the whole map explain.

    u = t_x + a x - b y,   v = t_y + b x + a y      with x, y from the middle of the map, in halves of its longer side

is fitted by iteratively reweighted least squares with Tukey's weights, (1 - (r / c)^2)^2 for residuals r below c, and
c = SPREAD times the median residual: what moves in its own way, as a mouth does, hardly counts. Equations and weights
are those of robust regression (Holland and Welsch, "Robust regression using iteratively reweighted least-squares",
Communications in Statistics A6, 1977).
"""

from __future__ import annotations

import torch
from torch import Tensor

# Rounds of weights after the plain fit, and residuals in medians beyond which nothing counts.
ROUNDS, SPREAD = 4, 2.25
# Every so many pixels are looked at: flow is smooth.
_STEP = 4
# Pixels: below it residuals are rounding; and what keeps a map of one pixel solvable.
_LEAST, _RIDGE = 1e-4, 1e-6


def subtract_rigid(flow: Tensor) -> Tensor:
    """The flow without the similarity that most of it follows.

    Differentiable; the weights count as given.

    Arguments:
        flow: `(N, 2, H, W)`, u to the right and v downwards, float32 or float64.

    Returns:
        The same shape.
    """
    # autocast would add up in half precision
    with torch.autocast(flow.device.type, enabled=False):
        return _without_similarity(flow)


def subtract_rigid_ref(flow: Tensor) -> Tensor:
    """The slow twin: map by map and pixel by pixel, in float64."""
    return torch.stack([_one_ref(one.double()) for one in flow]).to(flow.dtype)


def _without_similarity(flow: Tensor) -> Tensor:
    basis = _basis(flow)
    sampled = basis[..., ::_STEP, ::_STEP].flatten(2)
    values = flow[..., ::_STEP, ::_STEP].flatten(2)
    weights = torch.ones_like(values[:, 0])
    for _ in range(ROUNDS):
        with torch.no_grad():
            rest = values - torch.einsum("ni,icp->ncp", _solve(sampled, values, weights), sampled)
            residuals = rest.square().sum(dim=1).sqrt()
            limit = SPREAD * residuals.quantile(0.5, dim=1, keepdim=True).clamp(min=_LEAST)
            weights = (1 - (residuals / limit).square()).clamp(min=0).square()
    return flow - torch.einsum("ni,ichw->nchw", _solve(sampled, values, weights), basis)


def _solve(basis: Tensor, values: Tensor, weights: Tensor) -> Tensor:
    """Parameters `(N, 4)` by weighted least squares."""
    left = torch.einsum("np,icp,jcp->nij", weights, basis, basis)
    right = torch.einsum("np,icp,ncp->ni", weights, basis, values)
    ridge = _RIDGE * torch.eye(4, dtype=values.dtype, device=values.device)
    solved: Tensor = torch.linalg.solve(left + ridge, right)
    return solved


def _basis(flow: Tensor) -> Tensor:
    """Flow of each parameter t_x, t_y, a, b at 1: `(4, 2, H, W)`."""
    height, width = flow.shape[-2:]
    half = max(height, width) / 2
    y = (torch.arange(height, dtype=flow.dtype, device=flow.device) - (height - 1) / 2) / half
    x = (torch.arange(width, dtype=flow.dtype, device=flow.device) - (width - 1) / 2) / half
    y, x = torch.meshgrid(y, x, indexing="ij")
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    parts = [(one, zero), (zero, one), (x, y), (-y, x)]
    return torch.stack([torch.stack(part) for part in parts])


def _one_ref(flow: Tensor) -> Tensor:
    height, width = flow.shape[-2:]
    half = max(height, width) / 2
    places = [(row, column) for row in range(0, height, _STEP) for column in range(0, width, _STEP)]

    def rows(row: int, column: int) -> Tensor:
        x, y = (column - (width - 1) / 2) / half, (row - (height - 1) / 2) / half
        return torch.tensor([[1, 0, x, -y], [0, 1, y, x]], dtype=torch.float64)

    weights = [1.0] * len(places)
    for number in range(ROUNDS + 1):
        left, right = _RIDGE * torch.eye(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
        for weight, place in zip(weights, places, strict=True):
            left = left + weight * rows(*place).T @ rows(*place)
            right = right + weight * rows(*place).T @ flow[:, place[0], place[1]]
        found = torch.linalg.solve(left, right)
        if number < ROUNDS:
            residuals = [float((flow[:, row, at] - rows(row, at) @ found).detach().norm()) for row, at in places]
            limit = SPREAD * max(float(torch.tensor(residuals, dtype=torch.float64).quantile(0.5)), _LEAST)
            weights = [max(0.0, 1 - (one / limit) ** 2) ** 2 for one in residuals]
    moved = [[rows(row, column) @ found for column in range(width)] for row in range(height)]
    return flow - torch.stack([torch.stack(line) for line in moved]).permute(2, 0, 1)
