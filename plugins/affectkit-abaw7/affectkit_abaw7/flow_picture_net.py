"""The module of `flow-picture`."""

from __future__ import annotations

import math

import torch
from torch import nn

from affectkit import FrameStream, MotionFrontEnd, Sequence
from affectkit.motion.flow_maps_net import magnitude
from affectkit_abaw7.flow_picture import FlowPictureConfig


class FlowPicture(MotionFrontEnd[FlowPictureConfig]):
    """Flow `(B, T, 2, H, W)` in pixels to pictures `(B, T, 3, H, W)` in [0, 1]; zero for padding.

    Attributes:
        log_gain: logarithms of the channels' gains.
    """

    def __init__(self, config: FlowPictureConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        self.log_gain = nn.Parameter(torch.full((3, 1, 1), math.log(config.gain)))

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        real = inputs.mask[:, :, None, None, None]
        flow = torch.where(real, inputs.values, 0.0)
        maps = torch.cat([flow, magnitude(flow).unsqueeze(2)], dim=2)
        pictures = 0.5 + 0.5 * torch.tanh(self.log_gain.exp() * maps)
        return inputs.with_values(torch.where(real, pictures, 0.0))
