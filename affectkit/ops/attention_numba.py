"""The kernels of `affectkit.ops.attention_dropout` for numba: softmax and dropout of scores, row by row in cache.

Forward, of a row of scores s, with the factors m of `draw_factors`:   w = softmax(s),  a = m w
Backward, from the gradient g of a:                                    d = w (m g - sum(m g w)),  the gradient of s
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
Row = NDArray[np.float32]
LOG2E = F(1 / math.log(2))
# elements whose rows a thread takes at once
_PART = 1 << 13
# places in a `_Job`, as an array: numba can't read its names
_SCORES, _WEIGHTS, _DROPPED, _ROWS, _WIDTH, _FIRST, _SEED, _LEAST, _NEXT = range(9)
_names = ("scores", "weights", "dropped", "rows", "width", "first", "seed", "least", "next")
_options = {"nogil": True, "error_model": "numpy", "boundscheck": False, "cache": True}
_compiled = numba.njit(**_options)
# for sums and maxima, which may be taken in any order
_summing = numba.njit(fastmath={"contract", "nsz", "reassoc"}, **_options)


class _Job(ctypes.Structure):
    """Rows to work on, the first element of which has a place among all that are drawn for."""

    _fields_ = [(name, ctypes.c_int64) for name in _names]


def softmax_drop(scores: Tensor, weights: Tensor, dropped: Tensor, first: int, seed: int, least: int) -> None:
    """Softmax of each row of `scores` into `weights`, and that times its factors into `dropped`.

    Arguments:
        scores, weights, dropped: `(..., S)` float32, contiguous, on the CPU.
        first: place of the first element among all that are drawn for, from 0.
        seed, least: as of `draw_factors`.
    """
    _run(_forward(), scores, weights, dropped, first, seed, least)


def softmax_drop_backward(
    gradient: Tensor, weights: Tensor, dropped: Tensor, first: int, seed: int, least: int
) -> None:
    """The gradient of what was dropped becomes that of the scores, in place; `dropped` is computed again."""
    _run(_backward(), gradient, weights, dropped, first, seed, least)


def _run(work: Any, one: Tensor, weights: Tensor, dropped: Tensor, first: int, seed: int, least: int) -> None:
    # memory is written by address, and must be what the kernel takes it for
    assert all(
        tensor.dtype == torch.float32 and tensor.is_contiguous() and tensor.numel() == one.numel()
        for tensor in (one, weights, dropped)
    )
    width = one.shape[-1]
    places = (tensor.data_ptr() for tensor in (one, weights, dropped))
    job = _Job(*places, one.numel() // width, width, first, seed, least, 0)
    run_team(work, job, min(torch.get_num_threads(), -(-one.numel() // _PART)) or 1)


@functools.cache
def _forward() -> Any:
    return make_kernel(_work_forward)


@functools.cache
def _backward() -> Any:
    return make_kernel(_work_backward)


def _work_forward(address: Any) -> None:
    job = numba.carray(address, (9,), np.int64)
    rows, width, seed, least = job[_ROWS], job[_WIDTH], U(job[_SEED]), job[_LEAST]
    scores = numba.carray(as_floats(job[_SCORES]), (rows, width))
    weights = numba.carray(as_floats(job[_WEIGHTS]), (rows, width))
    dropped = numba.carray(as_floats(job[_DROPPED]), (rows, width))
    words = np.empty(width // 4 + 2, np.uint64)
    bits = words.view(np.int16)
    limit, scale = np.int16(least - 32768), F(65536) / F(65536 - least)
    each = max(_PART // width, 1)
    part = take(job, _NEXT)
    while part * each < rows:
        for row in range(part * each, min((part + 1) * each, rows)):
            place = job[_FIRST] + row * width
            draw(seed, U(place // 4), words)
            _exponentials(scores[row], _largest(scores[row]), weights[row])
            drawn = bits[place % 4 : place % 4 + width]
            _scale(weights[row], F(1) / _sum(weights[row]), drawn, limit, scale, dropped[row])
        part = take(job, _NEXT)


def _work_backward(address: Any) -> None:
    job = numba.carray(address, (9,), np.int64)
    rows, width, seed, least = job[_ROWS], job[_WIDTH], U(job[_SEED]), job[_LEAST]
    gradient = numba.carray(as_floats(job[_SCORES]), (rows, width))
    weights = numba.carray(as_floats(job[_WEIGHTS]), (rows, width))
    dropped = numba.carray(as_floats(job[_DROPPED]), (rows, width))
    words = np.empty(width // 4 + 2, np.uint64)
    bits = words.view(np.int16)
    limit, scale = np.int16(least - 32768), F(65536) / F(65536 - least)
    each = max(_PART // width, 1)
    part = take(job, _NEXT)
    while part * each < rows:
        for row in range(part * each, min((part + 1) * each, rows)):
            place = job[_FIRST] + row * width
            draw(seed, U(place // 4), words)
            drawn = bits[place % 4 : place % 4 + width]
            through = _drop_both(weights[row], gradient[row], drawn, limit, scale, dropped[row])
            _to_scores(weights[row], through, gradient[row])
        part = take(job, _NEXT)


@_summing
def _largest(row: Row) -> Any:
    largest = row[0]
    for i in range(len(row)):
        largest = row[i] if row[i] > largest else largest
    return largest


@_compiled
def _exponentials(row: Row, largest: Any, out: Row) -> None:
    for i in range(len(row)):
        out[i] = exp2((row[i] - largest) * LOG2E)


@_summing
def _sum(row: Row) -> Any:
    total = F(0)
    for i in range(len(row)):
        total += row[i]
    return total


@_compiled
def _scale(weights: Row, factor: Any, bits: NDArray[np.int16], limit: Any, scale: Any, dropped: Row) -> None:
    for i in range(len(weights)):
        weight = weights[i] * factor
        weights[i] = weight
        dropped[i] = weight * (scale if bits[i] >= limit else F(0))


@_summing
def _drop_both(weights: Row, gradient: Row, bits: NDArray[np.int16], limit: Any, scale: Any, dropped: Row) -> Any:
    """a into `dropped`, m g in place of g, and their products' sum with w."""
    total = F(0)
    for i in range(len(weights)):
        factor = scale if bits[i] >= limit else F(0)
        dropped[i] = weights[i] * factor
        through = gradient[i] * factor
        gradient[i] = through
        total += through * weights[i]
    return total


@_compiled
def _to_scores(weights: Row, total: Any, gradient: Row) -> None:
    for i in range(len(weights)):
        gradient[i] = weights[i] * (gradient[i] - total)
