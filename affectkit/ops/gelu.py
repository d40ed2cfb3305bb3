"""GELU (arXiv 1606.08415) with dropout behind it, in training on a CPU as one operation.

    y = m x Phi(x)         with the factors m of `draw_factors`

By itself each of the two reads and writes all of memory again. Without numba (`affectkit[fast]`), in other precisions
and on other devices they are two, with the same draws.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit.ops.dropout import draw_factors, draw_seed, drop, to_least
from affectkit.ops.exporting import is_watched


class DroppedGELU(nn.Dropout):
    """As `nn.GELU` and then `Dropout`, a share `p` of the elements in training, in [0, 1]."""

    def forward(self, input: Tensor) -> Tensor:
        """GELU of it; in training, elements are dropped."""
        return gelu_drop(input, self.p) if self.training else functional.gelu(input)


def gelu_drop(x: Tensor, p: float) -> Tensor:
    """GELU of `x`, each element of which is dropped with a probability of p in [0, 1]."""
    if not 0 < p < 1 or x.dtype != torch.float32 or x.device.type != "cpu" or is_watched() or not _has_numba():
        return drop(functional.gelu(x), p)
    dropped: Tensor = _DroppedGELU.apply(x, draw_seed(), to_least(p))  # type: ignore[no-untyped-call]
    return dropped


class _DroppedGELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, seed: int, least: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.drawn = seed, least
        return _compute(x, None, seed, least)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            # by operations that have gradients themselves: somebody will ask for the gradient of the gradient
            dropped = functional.gelu(x) * draw_factors(x, *ctx.drawn)
            return torch.autograd.grad(dropped, x, gradient, create_graph=True)[0], None, None
        return _compute(x, gradient, *ctx.drawn), None, None


def _compute(x: Tensor, gradient: Tensor | None, seed: int, least: int) -> Tensor:
    from affectkit.ops import gelu_numba

    x = x.contiguous()
    out = torch.empty_like(x)
    gelu_numba.gelu_drop(x, None if gradient is None else gradient.contiguous(), seed, least, out)
    return out


@functools.cache
def _has_numba() -> bool:
    try:
        from affectkit.ops import gelu_numba

        probe = torch.zeros(1, dtype=torch.float32, device="cpu")
        gelu_numba.gelu_drop(probe, None, 0, 0, probe.clone())
    # also where its cache has no place, or its insides are others
    except Exception:
        return False
    return True
