"""Positions of time steps, by count or by the clip's own time, and their sinusoidal encoding.

    PE(p, 2i) = sin(p / 10000^(2i/D))        PE(p, 2i+1) = cos(p / 10000^(2i/D))

Symbols of Vaswani et al. 2017, "Attention Is All You Need", section 3.5: p position, D width, i pair of channels. There
p is a whole number; here it may be any real one, since annotated frames lie at irregular times (s-Aff-Wild2).

Only real steps (mask True) have a position, so padding anywhere moves nothing. A `Clock` carries on from one piece of a
clip to the next, which makes streaming equal to seeing the whole clip.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

PositionKind = Literal["none", "index", "time"]
# wavelengths from 2 pi to 10000 * 2 pi positions (Vaswani et al. 2017, section 3.5)
BASE = 10000.0


class Clock(NamedTuple):
    """Where the steps seen so far began.

    Attributes:
        seen: `(B,)` int64, real steps seen.
        origin: `(B,)` float64, seconds of the first real step; means nothing while `seen` is 0.
    """

    seen: Tensor
    origin: Tensor


def start_clock(batch: int, device: torch.device) -> Clock:
    """The clock of `batch` clips of which nothing was seen."""
    zeros = torch.zeros(batch, dtype=torch.int64, device=device)
    return Clock(zeros, zeros.double())


def locate(
    mask: Tensor, times: Tensor, clock: Clock, *, kind: Literal["index", "time"], time_unit: float = 1.0
) -> tuple[Tensor, Clock]:
    """Positions of the next steps of each clip, `(B, T)` float64, and the clock after them.

    Arguments:
        mask: `(B, T)` bool, True where real.
        times: `(B, T)` float64, seconds; not looked at where the mask is False.
        clock: what was seen before; `start_clock` at the beginning of a clip.
        kind: `index` counts real steps from 0; `time` is time since the first real step.
        time_unit: seconds that make 1 with `time`.
    """
    rank = clock.seen.unsqueeze(1) + mask.cumsum(dim=1)
    # argmax finds the first True (torch has none for bool); without any it is step 0, which `begins_here` ignores
    first = times.gather(1, mask.int().argmax(dim=1, keepdim=True)).squeeze(1)
    begins_here = (clock.seen == 0) & mask.any(dim=1)
    # the difference is taken in float64: ten hours into a recording, float32 seconds are 4 ms apart
    origin = torch.where(begins_here, first, clock.origin)
    positions = (times - origin.unsqueeze(1)) / time_unit if kind == "time" else (rank - 1).double()
    after = Clock(clock.seen + mask.sum(dim=1), origin)
    return torch.where(mask, positions, torch.zeros_like(positions)), after


def sinusoid(positions: Tensor, dim: int) -> Tensor:
    """Encode positions `(B, T)` float64 as `(B, T, dim)` float32 in [-1, 1]; an odd `dim` has no last cosine."""
    pairs = torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device)
    # `pairs` counts 0, 2, 4, ...: it is the 2i of the formula already
    angles = positions.double().unsqueeze(-1) * BASE ** (-pairs / dim)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)[..., :dim].float()


def encode_positions(
    mask: Tensor, times: Tensor, clock: Clock, *, kind: Literal["index", "time"], time_unit: float, dim: int
) -> tuple[Tensor, Clock]:
    """What is added to values of width `dim` for their positions, `(B, T, dim)` float32, and the clock after them."""
    positions, after = locate(mask, times, clock, kind=kind, time_unit=time_unit)
    return sinusoid(positions, dim), after


def add_positions(
    values: Tensor, mask: Tensor, times: Tensor, clock: Clock, *, kind: PositionKind, time_unit: float
) -> tuple[Tensor, Clock]:
    """`values` `(B, T, D)` with their encoded positions added, in their own dtype, and the clock after them."""
    if kind == "none":
        return values, clock
    encoded, after = encode_positions(mask, times, clock, kind=kind, time_unit=time_unit, dim=values.shape[-1])
    # the sum keeps what autocast chose; float32 would make every later layer cast again
    return values + encoded.to(values.dtype), after
