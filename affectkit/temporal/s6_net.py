"""S6, the mixer of Mamba (Gu and Dao 2023, arXiv 2312.00752, section 3 and algorithm 2), in one direction or both.

    [x | z] = in(input)        x <- silu(conv(x))        [r | B | C] = project(x)        delta = softplus(dt(r))
    h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t        y_t = (C_t h_t + D x_t) silu(z_t)        output = out(y)

A starts at -(1 ... N) in every channel, delta log-uniform from 0.001 to 0.1, and D at 1 (section 3.6 and the authors'
code). With both directions, each has all but `in` and `out` of its own, and their y are averaged (Zhu et al. 2024,
arXiv 2401.09417). Letters: B batch, L steps, E channels inside, N state, W width of the convolution.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affectkit.ops.selective_scan import selective_scan

DELTAS = (0.001, 0.1)


class S6State(NamedTuple):
    """What a mixer keeps of the steps that it has seen.

    Attributes:
        inputs: `(B, E, W - 1)`, what the convolution still needs.
        state: `(B, E, N)`, h, in at least float32.
    """

    inputs: Tensor
    state: Tensor


class S6Scan(nn.Module):
    """One direction: convolution and selective scan."""

    def __init__(self, inner: int, state: int, conv: int, rank: int) -> None:
        super().__init__()
        self.sizes = (rank, state, state)
        self.conv = nn.Conv1d(inner, inner, kernel_size=conv, groups=inner)
        self.project = nn.Linear(inner, sum(self.sizes), bias=False)
        self.dt = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        low, high = (math.log(delta) for delta in DELTAS)
        delta = torch.exp(low + (high - low) * torch.rand(inner))
        with torch.no_grad():
            # the inverse of the softplus
            self.dt.bias.copy_(delta + torch.log(-torch.expm1(-delta)))
            self.dt.weight.uniform_(-(rank**-0.5), rank**-0.5)

    def forward(self, x: Tensor, z: Tensor, real: Tensor) -> Tensor:
        """`x` and `z` `(B, E, L)`, `real` `(B, 1, L)`: y `(B, E, L)`. Steps that are not real leave no trace."""
        x = F.silu(self.conv(F.pad(torch.where(real, x, 0.0), (self.conv.kernel_size[0] - 1, 0))))
        # the convolution's bias, and its look back, put something where nothing is
        x = torch.where(real, x, 0.0)
        r, b, c = (part.transpose(1, 2) for part in self.project(x.transpose(1, 2)).split(self.sizes, dim=-1))
        delta = self.dt.weight @ r
        y = selective_scan(x, delta, self._a(), b, c, self.D, z, self.dt.bias, delta_softplus=True)
        # a tuple only with `return_last_state`
        return cast(Tensor, y)

    def step(self, x: Tensor, z: Tensor, state: S6State) -> tuple[Tensor, S6State]:
        """One step: `x` and `z` `(B, E)` to y `(B, E)` and the state after it."""
        window = torch.cat([state.inputs, x.unsqueeze(-1).to(state.inputs.dtype)], dim=-1)
        u = F.silu((window * self.conv.weight[:, 0]).sum(dim=-1) + cast(Tensor, self.conv.bias))
        r, b, c = self.project(u).split(self.sizes, dim=-1)
        exact = state.state.dtype
        u, delta = u.to(exact), F.softplus((r @ self.dt.weight.t()).to(exact) + self.dt.bias.to(exact)).unsqueeze(-1)
        h = torch.exp(delta * self._a().to(exact)) * state.state + delta * b.to(exact).unsqueeze(1) * u.unsqueeze(-1)
        y = (h * c.to(exact).unsqueeze(1)).sum(dim=-1) + self.D.to(exact) * u
        return (y * F.silu(z.to(exact))).to(x.dtype), S6State(window[..., 1:], h)

    def initial_state(self, batch: int) -> S6State:
        """Zeros: a stream begins as a padded convolution does."""
        weight = self.conv.weight
        inputs = weight.new_zeros(batch, len(weight), weight.shape[-1] - 1)
        exact = torch.promote_types(weight.dtype, torch.float32)
        return S6State(inputs, weight.new_zeros(batch, len(weight), self.A_log.shape[1], dtype=exact))

    def _a(self) -> Tensor:
        return -torch.exp(self.A_log.to(torch.promote_types(self.A_log.dtype, torch.float32)))


class S6(nn.Module):
    """Features `(B, L, D)` to features `(B, L, D)`.

    Arguments:
        dim: D.
        state: N.
        inner: E.
        conv: W.
        rank: width of r.
        bidirectional: whether a second scan runs backwards.
    """

    def __init__(self, dim: int, *, state: int, inner: int, conv: int, rank: int, bidirectional: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, 2 * inner, bias=False)
        self.forwards = S6Scan(inner, state, conv, rank)
        self.backwards = S6Scan(inner, state, conv, rank) if bidirectional else None
        self.leave = nn.Linear(inner, dim, bias=False)

    def forward(self, inputs: Tensor, real: Tensor) -> Tensor:
        """`real` `(B, L)` bool; what comes out elsewhere is finite and means nothing."""
        x, z = self.enter(inputs).transpose(1, 2).chunk(2, dim=1)
        present = real.unsqueeze(1)
        y = self.forwards(x, z, present)
        if self.backwards is not None:
            y = (y + self.backwards(*(part.flip(-1) for part in (x, z, present))).flip(-1)) / 2
        leave: Tensor = self.leave(y.transpose(1, 2))
        return leave

    def step(self, inputs: Tensor, state: S6State) -> tuple[Tensor, S6State]:
        """One step `(B, 1, D)` of the forward direction, and the state after it."""
        x, z = self.enter(inputs[:, 0]).chunk(2, dim=-1)
        y, after = self.forwards.step(x, z, state)
        return self.leave(y).unsqueeze(1), after
