"""How fast `affectkit.ops.linear` is beside torch's own: run `python benchmarks/linear.py`.

Products of the sizes that a Transformer of width 256 trains by; forward, and forward with backward. Both take turns,
and the median of the ratios of a turn counts. No bar: it says whether `Linear` is right to leave torch's path on this
machine's processor, and what its limit on size is worth. Where it does not, oneDNN is measured all the same.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops import linear

ROWS = (250, 1000, 4000)
WIDTHS = ((256, 256), (256, 768), (256, 1024), (1024, 256))
TURNS = 21


def main() -> int:
    """Print a table."""
    if not linear._has_onednn():
        print("torch has no oneDNN, or no MKL to compare it with")
        return 1
    print("taken on this processor" if linear._is_amd() else "NOT taken on this processor")
    print(f"{'threads':>7}{'rows':>6}{'in':>6}{'out':>6}{'taken':>7}{'forward':>9}{'and back':>9}")
    for threads in (2, 1):
        torch.set_num_threads(threads)
        for rows in ROWS:
            for inner, outer in WIDTHS:
                taken = "yes" if rows * inner * outer >= linear._LEAST else "no"
                forward, both = _race(rows, inner, outer)
                print(f"{threads:>7}{rows:>6}{inner:>6}{outer:>6}{taken:>7}{forward:>9.2f}{both:>9.2f}", flush=True)
    return 0


def _race(rows: int, inner: int, outer: int) -> tuple[float, float]:
    x = torch.randn(rows, inner, requires_grad=True)
    weight, bias = torch.randn(outer, inner, requires_grad=True), torch.randn(outer, requires_grad=True)
    gradient = torch.randn(rows, outer)

    def run(multiply: Callable[..., Tensor]) -> tuple[float, float]:
        started = time.perf_counter()
        y = multiply(x, weight, bias)
        half = time.perf_counter() - started
        y.backward(gradient)  # type: ignore[no-untyped-call]
        return half, time.perf_counter() - started

    turns = [(run(functional.linear), run(linear._Linear.apply)) for _ in range(TURNS)]
    forward, both = ([one[half] / other[half] for one, other in turns] for half in range(2))
    return statistics.median(forward), statistics.median(both)


if __name__ == "__main__":
    sys.exit(main())
