"""Linear layers on AMD's processors, where torch leaves a product of float32 matrices to a library made for others.

    y = x W^T + b        and backwards:  dx = dy W,  dW = dy^T x,  db = the sum of dy over the rows

torch computes these by Intel's MKL, which keeps its fastest code for Intel's processors. oneDNN, which torch brings
too, is faster there for y and dx (`benchmarks/linear.py`); dW stays with MKL, which is as fast.
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# Multiplications from which on it pays: below, what a call costs by itself counts.
_LEAST = 1 << 27


class Linear(nn.Linear):
    """As `nn.Linear`, with the same parameters, and faster on an AMD processor; results may differ in the last digits.

    It does not work within `torch.func`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`(..., in)` to `(..., out)`."""
        if not _pays(input, self.weight):
            return functional.linear(input, self.weight, self.bias)
        product: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return product


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = gradient.flatten(0, -2)
        return (
            # by way of itself, so that there is a second gradient
            _Linear.apply(gradient, weight.t(), None) if ctx.needs_input_grad[0] else None,  # type: ignore[no-untyped-call]
            rows.t() @ x.flatten(0, -2) if ctx.needs_input_grad[1] else None,
            rows.sum(0) if ctx.needs_input_grad[2] else None,
        )


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def _pays(x: Tensor, weight: Tensor) -> bool:
    # exporters know the plain layer alone; under autocast it is not float32 that is multiplied
    is_traced = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None
    return (
        not is_traced
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and x.ndim > 1
        and x.numel() * len(weight) >= _LEAST
        and not torch.is_autocast_enabled("cpu")
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
