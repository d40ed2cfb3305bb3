"""The mixer of VMamba (Liu et al. 2024, arXiv 2401.10166): a selective scan in four orders, summed.

The orders are row by row, column by column, and both backwards. Where a map is cut into windows, a scan goes through
one window after the other, row by row or column by column within each. Letters as in `sparse_vssd_block`; L tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit.features.sparse_vssd_block import convolve, depthwise, new_step_bias
from affectkit.ops.selective_scan import selective_scan

ORDERS = 4


class SS2DMixer(nn.Module):
    """Tokens `(B, K, h, w, dim)` in and out; those that are not active take a step of size zero."""

    def __init__(self, dim: int, *, state: int, expansion: int) -> None:
        super().__init__()
        inner, rank = dim * expansion, math.ceil(dim / 16)
        self.parts = [rank, state, state]
        self.enter = nn.Linear(dim, 2 * inner, bias=False)
        self.convolution = depthwise(inner)
        # one linear layer per order, without bias: to the steps' rank, what is written and what is read
        self.project = nn.Parameter(_uniform(ORDERS, sum(self.parts), inner))
        self.step = nn.Parameter(_uniform(ORDERS, inner, rank))
        self.step_bias = nn.Parameter(new_step_bias(ORDERS * inner))
        self.log_decay = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(ORDERS * inner, 1))
        self.skip = nn.Parameter(torch.ones(ORDERS * inner))
        self.norm = nn.LayerNorm(inner)
        self.leave = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor, active: Tensor | None) -> Tensor:
        values, gate = self.enter(x).chunk(2, dim=-1)
        values = in_orders(functional.silu(convolve(self.convolution, values, active)))
        steps, write, read = torch.split(torch.einsum("kri,bkli->bkrl", self.project, values), self.parts, dim=2)
        steps = torch.einsum("kir,bkrl->bkil", self.step, steps).flatten(1, 2)
        steps = functional.softplus(steps + self.step_bias.unsqueeze(1))
        if active is not None:
            taken = in_orders(active.unsqueeze(-1)).expand(-1, -1, -1, gate.shape[-1])
            steps = torch.where(taken.transpose(2, 3).flatten(1, 2), steps, 0.0)
        scanned = values.transpose(2, 3).flatten(1, 2)
        y = selective_scan(scanned, steps, -self.log_decay.exp(), write, read, self.skip)
        assert isinstance(y, Tensor)  # without the last state
        y = self.norm(from_orders(y.reshape(x.shape[0], ORDERS, gate.shape[-1], -1).transpose(2, 3), gate.shape))
        return self.leave(y * functional.silu(gate))  # type: ignore[no-any-return]


def in_orders(x: Tensor) -> Tensor:
    """`(B, K, h, w, C)` to `(B, 4, L, C)`: rows, columns, and both backwards."""
    both = torch.stack([x.flatten(1, 3), x.transpose(2, 3).flatten(1, 3)], dim=1)
    return torch.cat([both, both.flip(2)], dim=1)


def from_orders(y: Tensor, shape: torch.Size) -> Tensor:
    """The sum of `(B, 4, L, C)` over orders, each token back at its place, as `shape` `(B, K, h, w, C)`."""
    batch, windows, height, width, channels = shape
    rows, columns = (y[:, :2] + y[:, 2:].flip(2)).unbind(1)
    return rows.reshape(shape) + columns.reshape(batch, windows, width, height, channels).transpose(2, 3)


def _uniform(*shape: int) -> Tensor:
    """As the weights of a new linear layer from the last axis."""
    bound = shape[-1] ** -0.5
    return torch.empty(shape).uniform_(-bound, bound)
