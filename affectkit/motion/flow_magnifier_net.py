"""The module of `flow-magnifier`. Symbols as in arXiv 2503.24057 where we could read it:

    OF_mag = F_mag(OF_ori, alpha)           F_mag: a UNet; with `is_residual`, alpha OF_ori + UNet(OF_ori, alpha)
    L_mag = | alpha OF_ori - OF_mag |_1     the mean over pixels and components of real steps

alpha is a map, `(B T, 1, H, W)`; the network sees it as sinusoids, or as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.flow_magnifier import FlowMagnifierConfig
from affectkit.motion.flow_maps_net import magnitude
from affectkit.motion.frame_pairs_net import check_finite, real_frames
from affectkit.motion.unet_net import UNet, encode_alpha
from affectkit.sequences import Losses, Sequence, Targets, masked_mean
from affectkit.streams import FrameStream


class FlowMagnifier(MotionFrontEnd[FlowMagnifierConfig]):
    """Flow `(B, T, C, H, W)` to magnified flow `(B, T, C or C + 1, H, W)`; zeros at padding."""

    def __init__(self, config: FlowMagnifierConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        channels = len(stream.channels)
        inside = channels + config.alpha_channels
        self.unet = UNet(inside, channels, width=config.width, levels=config.levels, norm=config.norm)
        if config.is_residual:
            for parameter in self.unet.leave.parameters():
                nn.init.zeros_(parameter)

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        check_finite(inputs, "flow-magnifier")
        frames = real_frames(inputs)
        flow = frames.flatten(0, 1)
        if self.training and self.config.norm == "batch" and inputs.mask.any():
            # padding has no part in the statistics
            is_real = inputs.mask.flatten()
            real = self.magnify(flow[is_real], self.alpha_map(flow))
            # in the type of what the network gave, which under autocast is another one than the flow's
            magnified = real.new_zeros(flow.shape).index_put((is_real,), real).view_as(frames)
        else:
            magnified = self.magnify(flow, self.alpha_map(flow)).view_as(frames)
        # the last layer's bias moves what stands still, padding too
        magnified = magnified * inputs.mask[:, :, None, None, None]
        if self.config.magnitude:
            magnified = torch.cat([magnified, magnitude(magnified[:, :, :2]).unsqueeze(2)], dim=2)
        return inputs.with_values(magnified)

    def magnify(self, flow: Tensor, alpha: Tensor) -> Tensor:
        """Flow `(N, C, H, W)`, magnified as a map of factors `(N or 1, 1, H, W)` says."""
        alpha = alpha.expand(flow.shape[0], -1, -1, -1)
        channels = self.config.alpha_channels
        encoded = alpha if channels == 1 else encode_alpha(alpha, channels)
        correction: Tensor = self.unet(torch.cat([flow, encoded.to(flow.dtype)], dim=1))
        return alpha * flow + correction if self.config.is_residual else correction

    def alpha_map(self, flow: Tensor) -> Tensor:
        """The config's factors for maps of this size, `(1, 1, H, W)`."""
        height, width = flow.shape[-2:]
        if self.config.region is None:
            return flow.new_full((1, 1, height, width), self.config.alpha)
        left, top, right, bottom = self.config.region
        # a pixel is inside where its middle is
        x = (torch.arange(width, device=flow.device) + 0.5) / width
        y = (torch.arange(height, device=flow.device) + 0.5) / height
        is_inside = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
        alpha = torch.where(is_inside, self.config.alpha, 1.0)
        return alpha.to(flow.dtype)[None, None]

    def auxiliary(self, inputs: Sequence, output: Sequence, targets: Mapping[str, Targets]) -> Losses:
        """`anchor`: L_mag, in units of the flow."""
        frames = real_frames(inputs)
        wanted, magnified = self.alpha_map(frames) * frames, output.values[:, :, : frames.shape[2]]
        return {"anchor": masked_mean((wanted - magnified).abs(), inputs.mask[:, :, None, None, None])}
