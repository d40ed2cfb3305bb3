"""Dropout for training on a CPU, where torch's own draws every element by itself, and takes longer than many layers.

A random number of 64 bits decides on four elements, by 16 bits each: one is dropped if its bits, as a number, are
below 65,536 p. So p is rounded to a multiple of 1/65,536; what stays is divided by its exact share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """As `nn.Dropout`, with other draws from the same seed, and faster on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements in training; else give back what came."""
        if not self.training or self.p == 0.0:
            return input
        if self.p == 1.0 or input.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(input, self.p, training=True)
        dropped: Tensor = _Drop.apply(input, draw_factors(input, self.p))  # type: ignore[no-untyped-call]
        return dropped


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, factors: Tensor) -> Tensor:
        ctx.save_for_backward(factors)
        return values * factors

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (factors,) = ctx.saved_tensors
        return gradient * factors, None


def draw_factors(like: Tensor, p: float) -> Tensor:
    """0 with a probability of p in [0, 1), else 1 / (1 - p), for every element."""
    least = min(round(p * _LEVELS), _LEVELS - 1)
    # as numbers with a sign, the bits begin at half of the levels below 0
    kept = torch.from_numpy(_draw(like.numel()).view(np.int16))[: like.numel()] >= least - _LEVELS // 2
    return kept.to(like.dtype).mul_(_LEVELS / (_LEVELS - least)).view(like.shape)


def draw_factors_ref(like: Tensor, p: float) -> Tensor:
    """The slow twin, which takes the same numbers apart one by one."""
    least = min(round(p * _LEVELS), _LEVELS - 1)
    factors = []
    for number in _draw(like.numel()).tolist():
        for place in range(4):
            bits = (number >> 16 * place) & (_LEVELS - 1)
            level = (bits + _LEVELS // 2) % _LEVELS
            factors.append(_LEVELS / (_LEVELS - least) if level >= least else 0.0)
    return torch.tensor(factors[: like.numel()], dtype=like.dtype).view(like.shape)


def _draw(elements: int) -> NDArray[np.uint64]:
    """Random numbers, one for four elements, seeded by torch's generator of the CPU."""
    seed = int(torch.randint(2**63 - 1, ()))
    # faster than torch's own generator
    return np.asarray(np.random.SFC64(seed).random_raw((elements + 3) // 4), np.uint64)
