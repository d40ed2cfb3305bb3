"""What a module put out, held against what its config's `output` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream, FrameStream
from affectkit.testing.results import CheckFailed
from affectkit.testing.subjects import Subject, values_of


def check_output(subject: Subject, inputs: Any, output: Any) -> None:
    """Raise CheckFailed unless `output` is what the config's `output` says for these inputs."""
    declared = subject.output
    values = values_of(output)
    first = next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs
    if isinstance(declared, FrameStream | FeatureStream):
        if not isinstance(output, Sequence):
            raise CheckFailed(f"forward() returned {type(output).__name__}, no Sequence")
        shape = (*_clock(subject, declared, first, output), *_width(declared))
    elif subject.spec.kind == "map":
        if not isinstance(output, Sequence):
            raise CheckFailed(f"forward() returned {type(output).__name__}, no Sequence")
        steps = first.mask.shape[1] if declared.resolution == "frame" else 1
        shape = (len(first.mask), steps, len(declared.targets))
    else:
        batch, steps = (first.mask if isinstance(first, Sequence) else first).shape[:2]
        frames = (steps,) if declared.resolution == "frame" else ()
        shape = (batch, *frames, len(declared.targets))
    if tuple(values.shape) != shape:
        raise CheckFailed(f"forward() returned shape {tuple(values.shape)}, output() says {shape}")
    if not values.isfinite().all():
        raise CheckFailed(f"{int((~values.isfinite()).sum())} of {values.numel()} numbers are not finite")


def real_steps(inputs: Any, output: Any) -> Tensor:
    """Where the output is real: `(B, T)` for frames and features, all of `(B,)` for scores of clips."""
    if isinstance(output, Sequence):
        return output.mask
    mask: Tensor = (next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs).mask
    return mask if output.ndim > 2 else torch.ones(len(mask), dtype=torch.bool)


def _clock(subject: Subject, declared: Any, given: Sequence, output: Sequence) -> tuple[int, int]:
    """The (B, T) that mask and times have to have, checked."""
    batch, steps = given.mask.shape
    if declared.steps and declared.steps != _given_steps(subject):
        steps = len(declared.steps)
    elif getattr(declared, "stride", 1) != 1:
        steps = output.mask.shape[1]
    for name, tensor, dtype in (("mask", output.mask, torch.bool), ("times", output.times, torch.float64)):
        if tuple(tensor.shape) != (batch, steps) or tensor.dtype != dtype:
            found = f"{name} is {tensor.dtype} of shape {tuple(tensor.shape)}"
            raise CheckFailed(f"{found}; it is {dtype} of shape {(batch, steps)}")
    if steps == given.mask.shape[1] and not torch.equal(output.mask, given.mask):
        raise CheckFailed("the mask that comes out is not the one that went in, though T is the same")
    if not output.times.isfinite().all():
        raise CheckFailed("times are not finite")
    if steps == given.mask.shape[1] and not torch.equal(output.times[output.mask], given.times[given.mask]):
        raise CheckFailed("the times that come out are not those that went in, though T is the same")
    return batch, steps


def _given_steps(subject: Subject) -> tuple[str, ...]:
    """The named steps of what goes in."""
    stream = next(iter(subject.stream.values())) if isinstance(subject.stream, Mapping) else subject.stream
    return tuple(getattr(stream, "steps", ()))


def _width(declared: FrameStream | FeatureStream) -> tuple[int, ...]:
    if isinstance(declared, FeatureStream):
        return (declared.dim,)
    return (len(declared.channels), declared.height, declared.width)
