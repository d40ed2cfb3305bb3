"""The module of `rest-difference`."""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.rest_difference import RestDifferenceConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class RestDifference(MotionFrontEnd[RestDifferenceConfig]):
    """Maps `(B, T, C, H, W)` in, the same minus their median over the real steps out; zero for padding."""

    def __init__(self, config: RestDifferenceConfig, stream: FrameStream) -> None:
        super().__init__(config)

    def forward(self, inputs: Sequence) -> Sequence:
        rest = torch.stack([_median(clip[real]) for clip, real in zip(inputs.values, inputs.mask, strict=True)])
        real = inputs.mask[:, :, None, None, None]
        return inputs.with_values(torch.where(real, inputs.values - rest.unsqueeze(1), 0.0))


def _median(maps: Tensor) -> Tensor:
    """Of `(T, C, H, W)`, the lower one of the two in the middle; zero of no maps."""
    return maps.median(dim=0).values if len(maps) else maps.new_zeros(maps.shape[1:])
