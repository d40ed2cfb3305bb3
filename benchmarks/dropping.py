"""Attention and GELU with dropout in training on this CPU, beside others' ways: run `python benchmarks/dropping.py`.

Of the size of a batch of `abaw7_throughput.py`: 16 segments of 250 frames, width 256 in 4 heads, and 1024 between the
two layers behind them; forward, and forward with backward. All take turns, on two threads and on one; printed are the
medians of milliseconds, and of the ratios of a turn to `in parts` or `in one pass`. No bar: it says what the kernels of
`affectkit.ops` are worth here. Without numba (extra `fast`) there are none, and it says so.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops import attention_dropout, gelu
from affectkit.ops.attention_dropout import attend_dropping
from affectkit.ops.dropout import drop
from affectkit.ops.gelu import gelu_drop

SEGMENTS, FRAMES, HEADS, WIDTH, INNER = 16, 250, 4, 64, 1024
P, TURNS = 0.1, 21
Way = Callable[[Tensor], Tensor]


def main() -> int:
    """Print two tables; 1 without numba."""
    if not (attention_dropout._has_numba() and gelu._has_numba()):
        print("numba is not installed, or its files can't be written: there is nothing to measure")
        return 1
    frames = torch.randn(SEGMENTS, FRAMES, 3, HEADS, WIDTH)
    inner = torch.randn(SEGMENTS * FRAMES, INNER)
    for threads in (2, 1):
        torch.set_num_threads(threads)
        _print(f"attention, threads: {threads}", "in parts", frames, ATTENTION)
        _print(f"GELU, threads: {threads}", "in one pass", inner, GELU)
    return 0


def _parts(x: Tensor) -> list[Tensor]:
    return [one.transpose(1, 2) for one in x.unbind(dim=2)]


def _layers(x: Tensor) -> Tensor:
    query, key, value = _parts(x)
    return drop(((query / WIDTH**0.5) @ key.transpose(-2, -1)).softmax(dim=-1), P) @ value


def _in_parts(x: Tensor) -> Tensor:
    query, key, value = _parts(x)
    return attend_dropping(query, key, value, None, P)


def _torch(x: Tensor, p: float = P) -> Tensor:
    query, key, value = _parts(x)
    return functional.scaled_dot_product_attention(query, key, value, dropout_p=p)


def _merged(way: Way) -> Way:
    # as what follows attention takes it: the heads of a step side by side
    return lambda x: way(x).transpose(1, 2).flatten(-2)


ATTENTION: Mapping[str, Way] = {
    "in parts": _merged(_in_parts),
    "layer by layer, our draws": _merged(_layers),
    "torch": _merged(_torch),
    "torch, fused, no dropout": _merged(lambda x: _torch(x, 0.0)),
}
GELU: Mapping[str, Way] = {
    "in one pass": lambda x: gelu_drop(x, P),
    "in two, our draws": lambda x: drop(functional.gelu(x), P),
    "torch": lambda x: functional.dropout(functional.gelu(x), P, training=True),
    "torch, no dropout": functional.gelu,
}


def _print(title: str, ours: str, x: Tensor, ways: Mapping[str, Way]) -> None:
    turns = [{name: _run(way, x) for name, way in ways.items()} for _ in range(TURNS)]
    print(f"{title:<28}{'forward, ms':>13}{'and back, ms':>14}{'ratio':>8}")
    for name in ways:
        forward, both = (1000 * statistics.median(turn[name][half] for turn in turns) for half in range(2))
        ratio = statistics.median(turn[name][1] / turn[ours][1] for turn in turns)
        print(f"{name:<28}{forward:>13.1f}{both:>14.1f}{ratio:>8.2f}", flush=True)


def _run(way: Way, x: Tensor) -> tuple[float, float]:
    x = x.clone().requires_grad_()
    started = time.perf_counter()
    y = way(x)
    half = time.perf_counter() - started
    y.backward(torch.ones_like(y))  # type: ignore[no-untyped-call]
    return half, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
