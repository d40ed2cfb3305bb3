"""What sparse VSSD costs, by size, by ratio and in training: `python benchmarks/sparse_vssd.py`.

Parameters are counted with a classifier of 1000 classes, operations for one picture of 224x224, where a multiplication
and its addition are one. Ratios take turns on the same batch, on one thread; printed are the least time of each, and
the median of how many times it is faster than the dense form. Training is forward and backward of `pico` on maps.

Bars: parameters within 0.5 % of the published ones; at least 1.4 times as fast without half of the windows.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from affectkit.features.sparse_vssd import SIZES, SizeName, SparseVSSDConfig
from affectkit.features.sparse_vssd_net import SparseVSSD
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

# millions of parameters, and 1e9 operations (arXiv 2407.18559)
PUBLISHED = {"micro": (13.5, 2.3), "tiny": (24.3, 4.5), "small": (40.0, 7.4), "base": (89.0, 16.1)}
PICTURE = FrameStream(height=224, width=224)
FLOW = FrameStream(channels=("u", "v", "strain"), unit="pixel", height=28, width=28)
RATIOS, BATCH, TURNS = (0.0, 0.2, 0.5, 0.8), 8, 10
PARAMETERS_APART, FASTER = 0.005, 1.4


def main() -> int:
    """Print the three tables; 1 if a bar is missed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    held = [_count_sizes(), _time_ratios()]
    _time_training()
    print(f"\nbars: parameters apart by {PARAMETERS_APART:.1%}, ratio 0.5 {FASTER:g} times as fast; ", end="")
    print("held" if all(held) else "MISSED")
    return int(not all(held))


def _count_sizes() -> bool:
    print(f"{'size':8}{'parameters, M':>15}{'published':>11}{'operations, G':>15}{'published':>11}{'at ratio 0.5':>14}")
    held = True
    for size in SIZES:
        width = SIZES[size].dims[-1]
        with torch.device("meta"):
            module = SparseVSSD(SparseVSSDConfig(size=size), PICTURE)
        millions = (sum(parameter.numel() for parameter in module.parameters()) + (width + 1) * 1000) / 1e6
        dense, sparse = (_operations(size, ratio) for ratio in (0.0, 0.5))
        ours = f"{size:8}{millions:15.2f}{{:>11}}{dense:15.2f}{{:>11}}{sparse:14.2f}"
        print(ours.format(*PUBLISHED.get(size, ("", ""))))
        if size in PUBLISHED:
            held &= abs(millions / PUBLISHED[size][0] - 1) <= PARAMETERS_APART
    return held


def _operations(size: SizeName, ratio: float) -> float:
    """In 1e9, without the classifier."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module = SparseVSSD(SparseVSSDConfig(size=size, ratios=(ratio,) * 3), PICTURE).eval()
        module.features(torch.zeros(1, 3, 224, 224))
    return float(counter.get_total_flops()) / 2e9


@torch.no_grad()
def _time_ratios() -> bool:
    print(f"\n{'ratio':8}{'ms per picture':>16}{'times as fast':>15}")
    module = SparseVSSD(SparseVSSDConfig(), PICTURE).eval()
    pictures = torch.rand(BATCH, 3, 224, 224)

    def run(ratio: float) -> float:
        module.config = SparseVSSDConfig(ratios=(ratio,) * 3)
        # once before: the first run behind another ratio has to find memory for maps of other sizes
        return [_seconds(lambda: module.features(pictures)) for _ in range(2)][-1]

    turns = [[run(ratio) for ratio in RATIOS] for _ in range(TURNS)]
    faster = [statistics.median(turn[0] / turn[i] for turn in turns) for i in range(len(RATIOS))]
    for i, ratio in enumerate(RATIOS):
        print(f"{ratio:<8g}{min(turn[i] for turn in turns) * 1000 / BATCH:16.1f}{faster[i]:15.2f}")
    return faster[RATIOS.index(0.5)] >= FASTER


def _time_training() -> None:
    print(f"\n{'pico, stride':14}{'ratio':8}{'ms per 64 maps, forward and backward':>38}")
    values = Sequence.of(torch.randn(64, 1, 3, 28, 28))
    for stride, ratio in itertools.product((1, 2), (0.0, 0.5)):
        config = SparseVSSDConfig(size="pico", stride=1 if stride == 1 else 2, ratios=(ratio, ratio))
        module = SparseVSSD(config, FLOW).train()

        def step(module: SparseVSSD = module) -> None:
            torch.autograd.backward(module(values).values.square().sum())

        print(f"{stride:<14}{ratio:<8g}{min(_seconds(step) for _ in range(20)) * 1000:38.1f}")


def _seconds(call: Callable[[], object]) -> float:
    # of the processor: what else runs on the machine does not count
    started = time.process_time()
    call()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
