"""An exported graph beside the model that it was made of, on the same input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.export.engines import Engine
from affectkit.export.fitting import fitted
from affectkit.export.graph import Flat, flatten, random_batch
from affectkit.model import Model
from affectkit.sequences import Batch

# Largest absolute difference that a float32 graph may have, unless more is allowed.
TOLERANCE = 1e-4
# Clips and steps: one of each first, which the recorder never saw.
_SIZES = ((1, 1), (2, 4), (4, 7))


def largest_difference(
    model: Model, engine: Engine, takes: list[str], batches: Iterable[Batch], steps: int | None = None
) -> float:
    """Largest absolute difference of any output, raw or decoded, in any of the batches; NaN where one is NaN."""
    largest = 0.0
    flat = Flat(model).eval()
    for batch in batches:
        with torch.no_grad():
            expected = dict(zip(flat.outputs, flat(*flatten(batch)), strict=True))
        found = run(engine, model, takes, batch, steps)
        for name, values in expected.items():
            apart = float((found[name] - values).abs().max())
            # at once: a later number would compare as if it were larger than NaN
            if math.isnan(apart):
                return apart
            largest = max(largest, apart)
    return largest


def run(engine: Engine, model: Model, takes: list[str], batch: Batch, steps: int | None) -> dict[str, Tensor]:
    """Outputs of a graph by name; a graph of `steps` steps is given padding, for which its outputs are left out."""
    tensors, _, given = fitted(batch, model.config.input_streams(), steps)
    try:
        found = engine.run({name: tensors[name].contiguous().numpy() for name in takes})
    # engines raise classes of their own
    except Exception as error:
        sizes = " x ".join(map(str, tensors["mask"].shape))
        fact = f"{engine.name} can't run the graph on {sizes} steps ({str(error).strip().partition(chr(10))[0]})"
        raise InputError(f"export: {fact}; nothing was written, run the pipeline with PyTorch") from error
    is_cut = {name for name, stream in model.traced.outputs.items() if stream.resolution == "frame"}
    return {
        name: torch.from_numpy(values[:, :given] if name.removeprefix("scores.") in is_cut else values)
        for name, values in found.items()
    }


def random_batches(model: Model, steps: int | None) -> Iterator[Batch]:
    """Batches of several sizes with padding, of `steps` steps where that is fixed."""
    generator = torch.Generator().manual_seed(1)
    for clips, free in _SIZES:
        yield random_batch(model, clips, steps or free, generator, padded=True)


def check_difference(what: str, difference: float, tolerance: float = TOLERANCE) -> float:
    """`difference`, if it is small enough.

    Raises:
        InputError: it is not.
    """
    if not difference <= tolerance:
        fact = f"differs from PyTorch by {difference:.2g} on {what} input, and {tolerance:g} is allowed"
        remedy = "run the pipeline with PyTorch, or allow more if that is little for its scores (--tolerance)"
        raise InputError(f"export: the graph {fact}; nothing was written, {remedy}")
    return difference
