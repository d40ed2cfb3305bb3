"""The module of `head-compensation`."""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.flow_maps_net import flow_maps
from affectkit.motion.frame_pairs_net import check_finite, real_frames
from affectkit.motion.head_compensation import HeadCompensationConfig
from affectkit.ops.rigid_flow import rigid_flow
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class HeadCompensation(MotionFrontEnd[HeadCompensationConfig]):
    """Flow `(B, T, 2 to 4, H, W)` in, the same without the head's part out; padding becomes zeros."""

    def __init__(self, config: HeadCompensationConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self._channels = config.output(stream).channels
        self._nose = config.region(stream) if config.method == "nose" else None

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        check_finite(inputs, "head-compensation")
        # float32 at least: half precision errs by more than what is left
        dtype = torch.promote_types(inputs.values.dtype, torch.float32)
        flow = real_frames(inputs)[:, :, :2].to(dtype).flatten(0, 1)
        maps = flow_maps(flow - self._rigid(flow), self._channels)
        return inputs.with_values(maps.reshape(*inputs.mask.shape, *maps.shape[1:]).to(inputs.values.dtype))

    def _rigid(self, flow: Tensor) -> Tensor:
        """The head's part of `(N, 2, H, W)`, as `(N, 2, H, W)` or, where it is a shift, `(N, 2, 1, 1)`."""
        if self.config.method == "median":
            return flow.flatten(2).median(dim=2).values[:, :, None, None]
        if self.config.method == "nose":
            assert self._nose is not None
            rows, columns = self._nose
            return flow[:, :, rows, columns].mean(dim=(2, 3), keepdim=True)
        return rigid_flow(flow, self.config.method)
