"""Textures that swing from left to right by a known amount, and how far they do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.ops.clg import clg

SIZE, WAVE, FPS = 64, 12.0, 30.0


def texture(moved: float, size: int = SIZE) -> Tensor:
    """`(size, size)` in [0, 1]: twelve waves of WAVE to twice WAVE pixels, drawn anew for every place."""
    make = torch.Generator().manual_seed(1)
    length, angle, phase = (torch.rand(12, generator=make, dtype=torch.float64) for _ in range(3))
    number, angle = 2 * math.pi / (WAVE * (1 + length)), 2 * math.pi * angle
    places = torch.arange(size, dtype=torch.float64)
    across = (number * angle.cos())[:, None, None] * (places - moved)
    down = (number * angle.sin())[:, None, None] * places[:, None]
    waves = torch.cos(across + down + 2 * math.pi * phase[:, None, None]).sum(dim=0)
    return (0.5 + 0.12 * waves / math.sqrt(6)).float()


def swinging(amount: float, times: Tensor, rate: float) -> Tensor:
    """`(T, 1, SIZE, SIZE)`, at rest at time 0, `amount` pixels to either side."""
    return torch.stack([texture(amount * math.sin(2 * math.pi * rate * float(t))) for t in times]).unsqueeze(1)


def swing(frames: Tensor) -> float:
    """Half the way between the farthest places of `(T, 1, H, W)`, seen from the first frame, pixels."""
    last = frames[len(frames) // 2 :, 0]
    moved = clg(frames[:1, 0].expand_as(last), last)[:, 0, 8:-8, 8:-8].mean(dim=(1, 2))
    return float(moved.max() - moved.min()) / 2
