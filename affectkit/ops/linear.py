"""Linear layers on AMD's processors, where torch leaves a product of float32 matrices to a library made for others.

    y = x W^T + b        and backwards:  dx = dy W,  dW = dy^T x,  db = the sum of dy over the rows

torch computes these by Intel's MKL, which keeps its fastest code for Intel's processors. oneDNN, which torch brings
too, is faster there for y and dx; dW stays with MKL. What that brings in all: `benchmarks/linear.py`.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit.ops.exporting import is_watched

# Multiplications from which on it pays: below, what a call costs by itself counts.
_LEAST = 1 << 27


class Linear(nn.Linear):
    """As `nn.Linear`, with the same parameters; faster on an AMD processor, where the last digits may differ."""

    def forward(self, input: Tensor) -> Tensor:
        """`(..., in)` to `(..., out)`."""
        return _product(input, self.weight, self.bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not _pays(x, weight):
        return functional.linear(x, weight, bias)
    product: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return product


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # behind frozen weights x may go, which is most of the memory
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        return _multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            # with a gradient of its own, so that there is a second one
            None if weight is None else _product(gradient, weight.t(), None),
            None if x is None else rows.t() @ x.reshape(-1, x.shape[-1]),
            rows.sum(0) if ctx.needs_input_grad[2] else None,
        )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def _pays(x: Tensor, weight: Tensor) -> bool:
    return (
        x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        # somebody may know the plain layer alone
        and not is_watched()
        and not torch.is_autocast_enabled("cpu")
        and x.ndim > 1
        and x.numel() * weight.shape[0] >= _LEAST
        and _has_onednn()
        and _is_amd()
    )


@functools.cache
def _has_onednn() -> bool:
    one = torch.ones(1, 1)
    try:
        # without MKL, as on ARM, it may well be what torch computes by anyway
        return torch.backends.mkl.is_available() is True and _multiply(one, one, None).item() == 1.0  # type: ignore[no-untyped-call]
    # an inner function of torch's: another version may lack it, or ask for something else
    except Exception:
        return False


@functools.cache
def _is_amd() -> bool:
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return "AuthenticAMD" in platform.processor()
