"""A batch as a graph takes it: checked as stages check it, and padded to the number of steps that the graph has."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from affectkit.batch_checks import check_batch
from affectkit.errors import InputError
from affectkit.sequences import Batch, Sequence
from affectkit.streams import InputStream

# Seconds within which two times are the same, as in fusions.
_SAME_TIME = 1e-6


def fitted(
    batch: Batch | Sequence | Tensor, streams: Mapping[str, InputStream], steps: int | None
) -> tuple[dict[str, Tensor], int, int]:
    """Tensors by the names that a graph of `steps` steps gives its inputs; how many clips, and steps before padding.

    Raises:
        InputError: not as the streams say, not float32, not finite, inputs on different clocks, or too many steps.
    """
    checked = check_batch(batch, streams)
    first = checked[next(iter(streams))]
    for name in streams:
        _check(name, checked[name], first)
    clips, given = first.mask.shape
    missing = 0 if steps is None else steps - given
    if missing < 0:
        fact = f"{given} steps, and the file takes up to {steps}"
        raise InputError(f"batch: {fact}; export it again with more (--steps), or give shorter clips")
    tensors = {f"inputs.{name}": _padded(checked[name].values, missing) for name in streams}
    tensors |= {"mask": _padded(first.mask, missing), "times": _padded(first.times, missing)}
    return tensors, clips, given


def _check(name: str, sequence: Sequence, first: Sequence) -> None:
    """Refuse what the stages themselves refuse in PyTorch, which a graph can't."""
    if sequence.values.dtype != torch.float32:
        raise InputError(f"batch.{name}: dtype {sequence.values.dtype}; the file takes float32")
    if not _has_finite_sum(sequence.values):
        real = sequence.values.flatten(2).isfinite().all(dim=2)
        if (faulty := (sequence.mask & ~real).nonzero()).numel():
            clip, step = faulty[0].tolist()
            fact = f"NaN or infinity in clip {clip}, step {step}"
            raise InputError(f"batch.{name}: {fact}; give finite values, or mask False for what is not real")
    if sequence is first:
        return
    same = sequence.mask.shape == first.mask.shape and torch.equal(sequence.mask, first.mask)
    # written so that a NaN time counts as different
    if not same or not bool(((sequence.times - first.times).abs().masked_fill(~first.mask, 0) <= _SAME_TIME).all()):
        raise InputError(f"batch.{name}: another clock than the first input's; resample them to one in the loader")


def _has_finite_sum(values: Tensor) -> bool:
    """Whether all is finite, by a sum, which one NaN or infinity makes one: it is had far sooner than each value."""
    if values.device.type != "cpu":
        return math.isfinite(values.sum().item())
    # not torch's, whose threads go on looking for work for a while, and would be in the way of the engine's
    with np.errstate(all="ignore"):
        return math.isfinite(values.detach().numpy().sum())


def _padded(tensor: Tensor, missing: int) -> Tensor:
    """With so many steps more, which are zero, and False in the mask."""
    return tensor if not missing else pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing))
