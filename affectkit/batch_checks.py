"""What a built model is given, checked before it runs: inputs, labels and the precision of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affectkit.errors import InputError, did_you_mean
from affectkit.sequences import Batch, Sequence, Targets
from affectkit.streams import FeatureStream, FrameStream, InputStream


def check_targets(targets: Mapping[str, Targets] | None, known: Any) -> None:
    """Raise InputError for labels that no head takes, and for what is no labels."""
    if targets is None:
        return
    if not isinstance(targets, Mapping):
        raise InputError(f"targets: {type(targets).__name__}; give a dict of Targets by head, {', '.join(known)}")
    for name, labels in targets.items():
        if name not in known:
            raise InputError(f"targets.{name}: no head {name!r}; {did_you_mean(name, known, noun='heads')}")
        if not isinstance(labels, Targets):
            raise InputError(f"targets.{name}: {type(labels).__name__}; give Targets.of(values, valid)")


def check_precision(batch: Batch, model: nn.Module) -> None:
    """Raise InputError for values of a precision that the model does not have: numpy's float64, most often."""
    for name, sequence in batch.items():
        values = sequence.values
        # autocast converts by itself
        kind = values.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            continue
        first = None
        for parameter in model.parameters():
            # one match is enough: some stages may be kept in another precision
            if parameter.dtype == values.dtype:
                break
            first = first or parameter.dtype
        else:
            if first is not None:
                raise InputError(f"batch.{name}: dtype {values.dtype}; the model is {first}, give values.to({first})")


def check_batch(batch: Batch | Sequence | Tensor, streams: Mapping[str, InputStream]) -> Batch:
    """The batch as a mapping, checked against the input streams.

    Raises:
        InputError: names, ranks, sizes or dtypes are not as the streams say.
    """
    if isinstance(batch, Sequence | Tensor):
        if len(streams) != 1:
            raise InputError(f"batch: one sequence for {len(streams)} inputs; give a dict with {', '.join(streams)}")
        batch = {next(iter(streams)): batch if isinstance(batch, Sequence) else Sequence.of(batch)}
    if not isinstance(batch, Mapping):
        raise InputError(f"batch: {type(batch).__name__}; give a dict with {', '.join(streams)}")
    for name in batch:
        if name not in streams:
            raise InputError(f"batch.{name}: no such input; {did_you_mean(name, streams, noun='inputs')}")
    for name, stream in streams.items():
        if name not in batch:
            raise InputError(f"batch: no {name!r}; inputs: {', '.join(map(repr, streams))}")
        _check_sequence(name, batch[name], stream)
    return batch


def _check_sequence(name: str, sequence: Sequence, stream: FrameStream | FeatureStream) -> None:
    if not isinstance(sequence, Sequence):
        raise InputError(f"batch.{name}: {type(sequence).__name__}; give a Sequence, as Sequence.of(values) makes")
    values = sequence.values
    if isinstance(stream, FrameStream):
        wanted: tuple[int, ...] = (len(stream.channels), stream.height, stream.width)
    else:
        wanted = (stream.dim,)
    steps = len(stream.steps)
    if values.ndim != 2 + len(wanted) or values.shape[2:] != wanted or (steps and values.shape[1] != steps):
        shape = ", ".join(["B", str(steps or "T"), *map(str, wanted)])
        raise InputError(f"batch.{name}: shape {tuple(values.shape)}; the input {name!r} is ({shape})")
    if values.shape[0] < 1 or values.shape[1] < 1:
        raise InputError(f"batch.{name}: shape {tuple(values.shape)} is empty; give one clip and step at the least")
    if not values.is_floating_point():
        raise InputError(f"batch.{name}: dtype {values.dtype}; give floats (images as intensities in [0, 1])")
    clips_steps = tuple(values.shape[:2])
    # bool exactly: `~mask` of an integer 1 is -2, which is true
    if tuple(sequence.mask.shape) != clips_steps or sequence.mask.dtype != torch.bool:
        found = f"mask is {tuple(sequence.mask.shape)} {sequence.mask.dtype}"
        raise InputError(f"batch.{name}: {found}; give {clips_steps} torch.bool, True where a step is real")
    if tuple(sequence.times.shape) != clips_steps or sequence.times.dtype != torch.float64:
        found = f"times are {tuple(sequence.times.shape)} {sequence.times.dtype}"
        raise InputError(f"batch.{name}: {found}; give {clips_steps} torch.float64, in seconds")
