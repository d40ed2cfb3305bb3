"""One block of VSSD on windows of tokens, and its mixers by state space duality and by attention.

    x <- x + DW(x)      x <- x + Mixer(LN x)      x <- x + DW(x)      x <- x + FeedForward(LN x)

DW is a 3x3 convolution of every channel alone. Tokens come as `(B, K, h, w, C)`: K windows of h x w, where a map as a
whole is one window. Convolutions end at the window's border; mixers relate all tokens of a picture.

`active`, `(B, K, h, w)` bool, says which tokens take part; None for all. The others are zeros to convolutions and take
a step of size zero in state spaces, so that they influence no token that takes part: leaving them out gives the same.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit.ops.ssd import nc_ssd

# step sizes that a new mixer begins with, and the decays (Mamba-2, arXiv 2405.21060, as in its code)
STEPS, DECAYS = (1e-3, 1e-1), (1.0, 16.0)


class Block(nn.Module):
    """Tokens `(B, K, h, w, dim)` in and out."""

    def __init__(self, dim: int, mixer: nn.Module, *, feedforward: int, drop_path: float, dropout: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.before_mixer, self.before_feedforward = depthwise(dim), depthwise(dim)
        self.mixer_norm = nn.LayerNorm(dim)
        self.mixer = mixer
        self.feedforward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, feedforward),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, dim),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, active: Tensor | None) -> Tensor:
        x = x + convolve(self.before_mixer, x, active)
        x = x + self._drop(self.mixer(self.mixer_norm(x), active))
        x = x + convolve(self.before_feedforward, x, active)
        return x + self._drop(self.feedforward(x))

    def _drop(self, update: Tensor) -> Tensor:
        """Stochastic depth: in training, the update of a picture as a whole is dropped, or raised to its mean."""
        if not self.training or self.drop_path == 0:
            return update
        kept = torch.rand(len(update), device=update.device) >= self.drop_path
        return update * (kept / (1 - self.drop_path)).to(update.dtype)[:, None, None, None, None]


class NCSSDMixer(nn.Module):
    """The mixer of VSSD: every token reads one state, to which all tokens of the picture gave."""

    def __init__(self, dim: int, *, heads: int, state: int, expansion: int) -> None:
        super().__init__()
        inner = dim * expansion
        self.heads, self.widths = heads, [inner, inner + 2 * state, heads]
        self.states = [inner, state, state]
        self.enter = nn.Linear(dim, sum(self.widths), bias=False)
        self.convolution = depthwise(inner + 2 * state)
        self.step_bias = nn.Parameter(new_step_bias(heads))
        self.log_decay = nn.Parameter(torch.empty(heads).uniform_(*DECAYS).log())
        self.skip = nn.Parameter(torch.ones(heads))
        self.norm = nn.LayerNorm(inner)
        self.leave = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor, active: Tensor | None) -> Tensor:
        gate, mixed, steps = torch.split(self.enter(x), self.widths, dim=-1)
        mixed = functional.silu(convolve(self.convolution, mixed, active)).flatten(1, 3)
        values, write, read = torch.split(mixed, self.states, dim=-1)
        steps = functional.softplus(steps + self.step_bias)
        if active is not None:
            steps = torch.where(active.unsqueeze(-1), steps, 0.0)
        decay, values = -self.log_decay.exp(), values.reshape(*values.shape[:2], self.heads, -1)
        y = nc_ssd(values, steps.flatten(1, 3), decay, write.unsqueeze(2), read.unsqueeze(2), self.skip)
        y = self.norm(y.flatten(2)).reshape(gate.shape)
        return self.leave(y * gate)  # type: ignore[no-any-return]


class AttentionMixer(nn.Module):
    """Attention between all tokens of a picture: its stage leaves none out."""

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.enter, self.leave = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, active: None = None) -> Tensor:
        query, key, value = self.enter(x.flatten(1, 3)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.leave(mixed.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


def new_step_bias(count: int) -> Tensor:
    """What softplus maps to step sizes that are spread evenly, by their logarithm, over `STEPS`."""
    low, high = (math.log(end) for end in STEPS)
    steps = torch.empty(count).uniform_(low, high).exp()
    return steps + torch.log(-torch.expm1(-steps))


def depthwise(channels: int) -> nn.Conv2d:
    """A 3x3 convolution of every channel alone."""
    return nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels)


def convolve(layer: nn.Conv2d, x: Tensor, active: Tensor | None) -> Tensor:
    """`layer` on every window of `(B, K, h, w, C)`, where tokens that take no part are zeros."""
    if active is not None:
        x = torch.where(active.unsqueeze(-1), x, 0.0)
    # a view, not a copy: to convolutions these are maps with channels last
    maps: Tensor = layer(x.flatten(0, 1).permute(0, 3, 1, 2))
    return maps.permute(0, 2, 3, 1).reshape(x.shape)
