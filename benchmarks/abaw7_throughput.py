"""How fast fusion and Transformer train on kept features: run `python benchmarks/abaw7_throughput.py` (extra `train`).

The shape of arXiv 2407.12258: features of widths 512, 768 and 512, aligned at 256 with positions by real time, a
Transformer encoder of width 256 and depth 4 over segments of 250 frames, three heads with partial labels; batches of 16
segments, through `fit` with all that it does. Features are noise: only the time counts. On two threads; in float32, and
with `precision="bf16-mixed"`, which is faster where the processor multiplies bfloat16.

Operations are counted as torch counts those of products of matrices and of attention, forward and backward. Peak: the
fastest product of two 1536x1536 matrices between the epochs, in the row's precision. The last columns are one thread by
the processor's time, from which other work on the machine takes little. Bar, on two threads by the clock, in float32:
5,000 frames per second, with dropout of everything, as the preset is trained, and without that of the weights of
attention, so that attention is fused. bfloat16 is printed beside them and not counted.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Literal

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ExpressionConfig,
    FeatureStream,
    PipelineConfig,
    TransformerConfig,
    ValenceArousalConfig,
)
from affectkit.model import Model
from affectkit.recipes import Recipe
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, fit

BAR, EPOCHS = 5000.0, 6
WIDTHS = {"resnet": 512, "poster": 768, "fau": 512}
SEGMENTS, LENGTH, BATCH = 64, 250, 16
FUSED = TransformerConfig(dim=256, depth=4, positions="none", attention_dropout=0.0)
ROWS: dict[str, tuple[TransformerConfig, Literal["32", "bf16-mixed"]]] = {
    "dropout everywhere (bar)": (TransformerConfig(dim=256, depth=4, positions="none"), "32"),
    "none in attention (bar)": (FUSED, "32"),
    "the same, bf16": (FUSED, "bf16-mixed"),
    "no dropout": (TransformerConfig(dim=256, depth=4, positions="none", dropout=0.0), "32"),
}


def main() -> int:
    """Print a table; 1 if the bar is missed."""
    examples = make_examples()
    print(f"{os.cpu_count()} processors; two threads by the clock, one thread by the processor's time")
    columns = ("MFLOP/frame", *(f"{name} {threads}" for threads in (2, 1) for name in ("frames/s", "peak", "share")))
    print(f"{'':<26}" + "".join(f"{name:>12}" for name in columns))
    met = True
    for name, (temporal, precision) in ROWS.items():
        config = make_config(temporal)
        flop = count_flop(config, examples)
        cells = [f"{flop / 1e6:.1f}"]
        for threads, clock in ((2, time.perf_counter), (1, time.process_time)):
            recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, precision=precision)
            rate, peak = measure(config, examples, recipe, threads, clock)
            cells += [f"{rate:.0f}", f"{peak / 1e9:.0f}", f"{rate * flop / peak:.0%}"]
            met &= threads == 1 or "bar" not in name or rate >= BAR
        print(f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells), flush=True)
    print(f"bar {BAR:.0f} frames/s: {'met' if met else 'MISSED'}")
    return int(not met)


def make_config(temporal: TransformerConfig) -> PipelineConfig:
    """The pipeline, with one or the other encoder."""
    return PipelineConfig(
        inputs={name: FeatureStream(dim=dim) for name, dim in WIDTHS.items()},
        branches={name: Branch(source=name) for name in WIDTHS},
        fusion=AffineFusionConfig(dim=256, mode="concat", positions="time"),
        temporal=temporal,
        heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
    )


def make_examples() -> Examples:
    """Segments of noise, with labels at the rates of s-Aff-Wild2 and listed frames at irregular times."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(SEGMENTS, LENGTH, *shape, generator=generator)

    times = (draw() * 0.3).double().cumsum(dim=1)
    units = (draw(12) < 0.3).float()
    return Examples(
        inputs={name: Sequence.of(draw(dim), times=times) for name, dim in WIDTHS.items()},
        targets={
            "va": Targets.of(2 * draw(2) - 1, draw() < 0.73),
            "expr": Targets.of((draw() * 8).long(), draw() < 0.64),
            "au": Targets.of(units, draw() < 0.73),
        },
        subjects=tuple(f"noise/{row}" for row in range(SEGMENTS)),
    )


def measure(
    config: PipelineConfig, examples: Examples, recipe: Recipe, threads: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Frames per second, the median of the epochs but the first, which has the building in it; and the peak."""
    torch.set_num_threads(threads)
    rates: list[float] = []
    peaks: list[float] = []
    started = [clock()]

    def watch(model: Model, epoch: int) -> None:
        rates.append(SEGMENTS * LENGTH / (clock() - started[0]))
        peaks.append(measure_peak(torch.float32 if recipe.precision == "32" else torch.bfloat16, clock))
        started[0] = clock()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(config, examples, recipe, after_epoch=watch)
    return statistics.median(rates[1:]), max(peaks)


def measure_peak(dtype: torch.dtype, clock: Callable[[], float]) -> float:
    """Floating-point operations per second of a product of matrices, the most of a few."""
    size = 1536
    one, other = torch.rand(size, size).to(dtype), torch.rand(size, size).to(dtype)
    best = 0.0
    for _ in range(4):
        started = clock()
        torch.mm(one, other)
        best = max(best, 2 * size**3 / (clock() - started))
    return best


def count_flop(config: PipelineConfig, examples: Examples) -> float:
    """Operations per frame of one step, forward and backward."""
    model = config.build()
    inputs, targets = examples.batch(torch.arange(1))
    # torch does not count the attention that is fused on a CPU; the plain one has as many, but for what it recomputes
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        _, losses = model(inputs, targets)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops()) / LENGTH


if __name__ == "__main__":
    sys.exit(main())
