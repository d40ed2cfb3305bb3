"""Checks that the sequences of several branches lie on one clock, and hands them out in the fusion's order."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from affectkit.errors import InputError, listed
from affectkit.sequences import Sequence

# The same clock written down twice differs by rounding; the finest clock of a container ticks every microsecond.
TOLERANCE = 1e-6
RESAMPLE = "resample them to one clock in the loader"


def aligned(inputs: Mapping[str, Sequence], widths: Mapping[str, int]) -> dict[str, Sequence]:
    """The sequences in the order of `widths`, checked by `check_aligned`, with zeros where the mask is False."""
    check_aligned(inputs, widths)
    return {name: inputs[name].with_values(real_values(inputs[name])) for name in widths}


def concatenate(inputs: Mapping[str, Sequence], widths: Mapping[str, int]) -> Sequence:
    """The same as one sequence `(B, T, sum D_i)`."""
    check_aligned(inputs, widths)
    first = inputs[next(iter(widths))]
    joined = first.with_values(torch.cat([inputs[name].values for name in widths], dim=-1))
    return joined.with_values(real_values(joined))


def check_aligned(inputs: Mapping[str, Sequence], widths: Mapping[str, int]) -> None:
    """Check that masks are equal, and times within a microsecond of each other wherever the mask is True.

    Arguments:
        inputs: `(B, T, D_i)` by branch.
        widths: D_i by branch, in the order in which the fusion was built.

    Raises:
        InputError: a branch is missing or unknown, its width is another, or two branches differ in clips, steps, mask
            or times. A fusion never drops, repeats or interpolates steps; that is the loader's work.
    """
    for name in widths:
        if name not in inputs:
            raise InputError(f"branch {name!r}: missing; the fusion was built for {listed(widths)}")
    for name, sequence in inputs.items():
        if name not in widths:
            raise InputError(f"branch {name!r}: unknown; the fusion was built for {listed(widths)}")
        if sequence.values.ndim != 3 or sequence.values.shape[2] != widths[name]:
            fact = f"branch {name!r}: values of shape {tuple(sequence.values.shape)}"
            raise InputError(f"{fact}; the fusion was built for (B, T, {widths[name]})")
    first, *others = widths
    for name in others:
        _check_clock(first, inputs[first], name, inputs[name])


def real_values(sequence: Sequence) -> torch.Tensor:
    """Values `(B, T, D)` with zeros at padding, whatever was there; NaN neither passes nor reaches a gradient."""
    return torch.where(sequence.mask.unsqueeze(-1), sequence.values, 0.0)


def _check_clock(first: str, one: Sequence, name: str, other: Sequence) -> None:
    where = f"branches {first!r} and {name!r}"
    (batch, steps), (other_batch, other_steps) = one.mask.shape, other.mask.shape
    if batch != other_batch:
        raise InputError(f"{where}: {batch} and {other_batch} clips; give the same clips in the same order")
    if steps != other_steps:
        raise InputError(f"{where}: {steps} and {other_steps} steps; {RESAMPLE}")
    # branches of one input share its tensors, and then there is nothing to compare
    if one.mask is not other.mask and not torch.equal(one.mask, other.mask):
        clip, step = (one.mask != other.mask).nonzero()[0].tolist()
        real, padding = (first, name) if one.mask[clip, step] else (name, first)
        fact = f"masks differ first at clip {clip}, step {step} (real in {real!r}, padding in {padding!r})"
        raise InputError(f"{where}: {fact}; {RESAMPLE}")
    if one.times is other.times:
        return
    # written so that a NaN time counts as different
    apart = one.mask & ~((one.times - other.times).abs() <= TOLERANCE)
    if apart.any():
        clip, step = apart.nonzero()[0].tolist()
        pair = f"{one.times[clip, step].item()!r} and {other.times[clip, step].item()!r} s"
        raise InputError(f"{where}: times differ first at clip {clip}, step {step} ({pair}); {RESAMPLE}")
