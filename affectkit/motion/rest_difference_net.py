"""The module of `rest-difference`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.rest_difference import RestDifferenceConfig
from affectkit.ops.exporting import is_exporting
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class RestDifference(MotionFrontEnd[RestDifferenceConfig]):
    """Maps `(B, T, C, H, W)` in, the same minus their median over the real steps out; zero for padding."""

    def __init__(self, config: RestDifferenceConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        median = sorted_median if is_exporting() else median_of_real
        rest = median(inputs.values, inputs.mask)
        real = inputs.mask[:, :, None, None, None]
        return inputs.with_values(torch.where(real, inputs.values - rest.unsqueeze(1), 0.0))


def median_of_real(maps: Tensor, mask: Tensor) -> Tensor:
    """Of `(B, T, C, H, W)`, `(B, C, H, W)`: the lower one of the two in the middle; zero of no maps."""
    found = [clip[real] for clip, real in zip(maps, mask, strict=True)]
    return torch.stack([clip.median(dim=0).values if len(clip) else clip.sum(dim=0) for clip in found])


def sorted_median(maps: Tensor, mask: Tensor) -> Tensor:
    """The same for graphs, in which how many steps are real is no number: slower, by sorting padding to the end."""
    real = mask[:, :, None, None, None]
    ordered = torch.where(real, maps, math.inf).sort(dim=1).values
    middle = (real.sum(dim=1, keepdim=True) - 1) // 2
    found = ordered.gather(1, middle.clamp(min=0).expand(-1, -1, *maps.shape[2:]))[:, 0]
    return torch.where(real.any(dim=1), found, 0.0)
