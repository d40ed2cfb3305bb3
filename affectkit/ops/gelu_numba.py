"""The kernel of `affectkit.ops.gelu` for numba: GELU and dropout in one pass over memory, their gradient in another.

With a = |x| / sqrt(2) and e = exp(-a^2), by Abramowitz and Stegun 1964, formula 7.1.26, within 1.5e-7:

    1 - erf(a) = (c_1 t + ... + c_5 t^5) e,   t = 1 / (1 + 0.3275911 a)

Phi(x) and its derivative, e / sqrt(2 pi), so come from one exponential. In float32 it is nearer to the exact GELU than
torch's own: below 0 nothing is subtracted from 1.
"""

from __future__ import annotations

import ctypes
import functools
import math
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.ops.numba_memory import as_floats, make_kernel, take
from affectkit.ops.numba_numbers import draw, exp2
from affectkit.ops.scan_team import run_team

F, U = np.float32, np.uint64
Part = NDArray[np.float32]
# Elements of a part, which stay in a core's cache; and words that are drawn at once, for four elements each.
_PART, _WORDS = 1 << 14, 256
# places in a `_Job`, as an array: numba can't read its names
_INPUT, _GRADIENT, _OUT, _COUNT, _SEED, _LEAST, _NEXT = range(7)
_names = ("input", "gradient", "out", "count", "seed", "least", "next")
_TO_EXPONENT, _TO_A, _DENSITY = F(-0.5 / math.log(2)), F(math.sqrt(0.5)), F(1 / math.sqrt(2 * math.pi))
_compiled = numba.njit(
    nogil=True, error_model="numpy", boundscheck=False, cache=True, fastmath={"contract", "nsz", "arcp"}
)


class _Job(ctypes.Structure):
    """What to compute; whoever is free takes the next part by adding 1 to `next`. A gradient at 0 is none."""

    _fields_ = [(name, ctypes.c_int64) for name in _names]


def gelu_drop(x: Tensor, gradient: Tensor | None, seed: int, least: int, out: Tensor) -> None:
    """GELU of `x` times its `draw_factors`, or with the gradient of that, the gradient of `x`, into `out`.

    All of one shape, float32, contiguous, on the CPU.
    """
    job = _Job(x.data_ptr(), 0 if gradient is None else gradient.data_ptr(), out.data_ptr(), x.numel(), seed, least, 0)
    run_team(_kernel(), job, min(torch.get_num_threads(), -(-x.numel() // _PART)) or 1)


@functools.cache
def _kernel() -> Any:
    return make_kernel(_work)


def _work(address: Any) -> None:
    job = numba.carray(address, (7,), np.int64)
    count, seed, least = job[_COUNT], U(job[_SEED]), job[_LEAST]
    x, out = numba.carray(as_floats(job[_INPUT]), (count,)), numba.carray(as_floats(job[_OUT]), (count,))
    # never read where there is none
    gradient = numba.carray(as_floats(job[_GRADIENT]), (count,))
    words = np.empty(_WORDS, np.uint64)
    bits = words.view(np.int16)
    limit, scale = np.int16(least - 32768), F(65536) / F(65536 - least)
    part = take(job, _NEXT)
    while part * _PART < count:
        stop = min((part + 1) * _PART, count)
        for start in range(part * _PART, stop, 4 * _WORDS):
            end = min(start + 4 * _WORDS, stop)
            draw(seed, U(start // 4), words)
            if job[_GRADIENT] == 0:
                _forward(x[start:end], bits, limit, scale, out[start:end])
            else:
                _backward(x[start:end], gradient[start:end], bits, limit, scale, out[start:end])
        part = take(job, _NEXT)


@_compiled
def _phi(x: Any, e: Any) -> Any:
    """The standard normal distribution at x, given exp(-x^2 / 2)."""
    t = F(1) / (F(1) + F(0.3275911) * (abs(x) * _TO_A))
    p = F(1.061405429) * t + F(-1.453152027)
    p = p * t + F(1.421413741)
    p = p * t + F(-0.284496736)
    p = p * t + F(0.254829592)
    half = F(0.5) * (p * t * e)
    return half if x < F(0) else F(1) - half


@_compiled
def _forward(x: Part, bits: NDArray[np.int16], limit: Any, scale: Any, out: Part) -> None:
    for i in range(len(x)):
        value = x[i] * _phi(x[i], exp2(x[i] * x[i] * _TO_EXPONENT))
        out[i] = value * (scale if bits[i] >= limit else F(0))


@_compiled
def _backward(x: Part, gradient: Part, bits: NDArray[np.int16], limit: Any, scale: Any, out: Part) -> None:
    for i in range(len(x)):
        e = exp2(x[i] * x[i] * _TO_EXPONENT)
        slope = _phi(x[i], e) + x[i] * (_DENSITY * e)
        out[i] = gradient[i] * slope * (scale if bits[i] >= limit else F(0))
