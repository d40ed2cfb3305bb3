"""The kernel of `affectkit.ops.dropout` for numba: draws and drops in one pass over memory, in all threads.

numba knows no bfloat16: its numbers come as the upper 16 bits of a float32, and are rounded to the nearest, ties to
even, as torch does.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.ops.numba_memory import as_floats, make_kernel, take
from affectkit.ops.numba_numbers import draw
from affectkit.ops.scan_team import run_team

F, U = np.float32, np.uint64
# Elements of a part, which stay in a core's cache; and words that are drawn at once, for four elements each.
_PART, _WORDS = 1 << 15, 256
# places in a `_Job`, as an array: numba can't read its names
_SOURCE, _OUT, _COUNT, _SEED, _LEAST, _SHORT, _NEXT = range(7)


class _Job(ctypes.Structure):
    """What to drop of; whoever is free takes the next part by adding 1 to `next`."""

    _fields_ = [(name, ctypes.c_int64) for name in ("source", "out", "count", "seed", "least", "short", "next")]


def drop(values: Tensor, seed: int, least: int, out: Tensor) -> None:
    """`values` times their `draw_factors`, into `out`; both contiguous, on the CPU, of float32 or bfloat16."""
    short = values.dtype == torch.bfloat16
    job = _Job(values.data_ptr(), out.data_ptr(), values.numel(), seed, least, short, 0)
    run_team(_kernel(), job, min(torch.get_num_threads(), -(-values.numel() // _PART)) or 1)


@functools.cache
def _kernel() -> Any:
    return make_kernel(_work)


def _work(address: Any) -> None:
    job = numba.carray(address, (7,), np.int64)
    count, seed, least, short = job[_COUNT], U(job[_SEED]), job[_LEAST], job[_SHORT] != 0
    source, out = numba.carray(as_floats(job[_SOURCE]), (count,)), numba.carray(as_floats(job[_OUT]), (count,))
    # the same memory; of each pair, only the one of the right width is touched
    source16, out16 = source.view(np.uint16), out.view(np.uint16)
    words = np.empty(_WORDS, np.uint64)
    bits = words.view(np.int16)
    limit, scale = np.int16(least - 32768), F(65536) / F(65536 - least)
    part = take(job, _NEXT)
    while part * _PART < count:
        stop = min((part + 1) * _PART, count)
        for start in range(part * _PART, stop, 4 * _WORDS):
            end = min(start + 4 * _WORDS, stop)
            draw(seed, U(start // 4), words)
            if short:
                _scale_short(source16[start:end], bits, limit, _widen(_narrow(scale)), out16[start:end])
            else:
                _scale(source[start:end], bits, limit, scale, out[start:end])
        part = take(job, _NEXT)


@numba.njit(nogil=True, error_model="numpy", boundscheck=False, cache=True)
def _scale(source: Any, bits: NDArray[np.int16], limit: Any, scale: Any, out: Any) -> None:
    for i in range(len(source)):
        out[i] = source[i] * (scale if bits[i] >= limit else F(0))


@numba.njit(nogil=True, error_model="numpy", boundscheck=False, cache=True)
def _scale_short(source: Any, bits: NDArray[np.int16], limit: Any, scale: Any, out: Any) -> None:
    for i in range(len(source)):
        out[i] = _narrow(_widen(source[i]) * (scale if bits[i] >= limit else F(0)))


@numba.njit(nogil=True, inline="always", cache=True)
def _widen(short: Any) -> Any:
    return np.uint32(np.uint32(short) << np.uint32(16)).view(F)


@numba.njit(nogil=True, inline="always", cache=True)
def _narrow(value: Any) -> Any:
    whole = F(value).view(np.uint32)
    rounded = np.uint32(whole + np.uint32(0x7FFF) + ((whole >> np.uint32(16)) & np.uint32(1)))
    # rounding could carry a NaN over to a number
    return np.uint16((rounded if value == value else np.uint32(0x7FC00000)) >> np.uint32(16))
