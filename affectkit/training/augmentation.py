"""Augmentation of batches of frames and flow maps. A mirrored clip moves to the other side: `u` changes its sign."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.motion.flow_maps_net import mirror
from affectkit.recipes import Augmentation
from affectkit.sequences import Batch, Sequence
from affectkit.streams import FrameStream, InputStream


def augment(
    batch: Batch, streams: Mapping[str, InputStream], augmentation: Augmentation, generator: torch.Generator
) -> Batch:
    """A batch with what `augmentation` asks for; stored features are left as they are.

    Arguments:
        batch: `(B, T, C, H, W)` by input name.
        streams: of the inputs, for their channels and units.
        augmentation: how much of what.
        generator: on the CPU, so that a seed gives the same on every device.
    """
    return {
        name: _augment(one, stream, augmentation, generator) if isinstance(stream, FrameStream) else one
        for (name, one), stream in zip(batch.items(), (streams[name] for name in batch), strict=True)
    }


def _augment(one: Sequence, stream: FrameStream, augmentation: Augmentation, generator: torch.Generator) -> Sequence:
    values = one.values
    count = len(values)

    def draw(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator).to(values)

    if augmentation.flip:
        is_flipped = draw(1, 1, 1, 1) < augmentation.flip
        values = torch.where(is_flipped, mirror(values, stream.channels), values)
    if augmentation.shift:
        values = _shifted(values, augmentation.shift, generator)
    if augmentation.gain:
        values = values * (1 + augmentation.gain * (2 * draw(1, 1, 1, 1) - 1))
    if augmentation.noise:
        values = values + augmentation.noise * torch.randn(values.shape, generator=generator).to(values)
    if stream.unit == "intensity":
        values = values.clamp(0, 1)
    return one.with_values(values)


def _shifted(values: Tensor, most: int, generator: torch.Generator) -> Tensor:
    rows, columns = (torch.randint(-most, most + 1, (2, len(values)), generator=generator) + most).tolist()
    height, width = values.shape[-2:]
    # what lies beyond an edge is as the edge; pieces of a wider frame are cheaper than a gather
    wider = functional.pad(values.flatten(1, 2), [most] * 4, mode="replicate")
    pieces = [one[:, y : y + height, x : x + width] for one, y, x in zip(wider, rows, columns, strict=True)]
    return torch.stack(pieces).view(values.shape)
