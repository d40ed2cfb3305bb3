"""What a model costs: floating-point operations, counted, and latency, measured."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from affectkit.model import Model
from affectkit.search.space import Timing
from affectkit.sequences import Batch
from affectkit.training.examples import Examples

# Runs before those that count: the first one allocates memory and makes plans.
_WARM_UP = 3


def count_flops(model: Model, examples: Examples) -> float:
    """Floating-point operations for the first example, as torch's counter has them.

    It counts convolutions, matrix products and attention, a multiplication and an addition as two. Everything else
    counts nothing: activations, sums, and what runs outside of torch.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        model.predict(_first(model, examples, 1))
    return float(counter.get_total_flops())


def measure_latency(model: Model, examples: Examples, timing: Timing) -> float:
    """Median milliseconds for a batch of the first examples, over again where there are too few."""
    batch = _first(model, examples, timing.batch_size)
    found: list[float] = []
    with _threads(timing.threads):
        for number in range(_WARM_UP + timing.repeats):
            started = time.perf_counter()
            model.predict(batch)
            # a GPU goes on behind the call that asked for it
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number >= _WARM_UP:
                found.append(time.perf_counter() - started)
    return 1000 * statistics.median(found)


def _first(model: Model, examples: Examples, count: int) -> Batch:
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    inputs, _ = examples.batch(torch.arange(count) % len(examples))
    return {name: one.to(device) for name, one in inputs.items()}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
