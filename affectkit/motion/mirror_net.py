"""The module of `mirror`."""

from __future__ import annotations

import torch

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.flow_maps_net import mirror
from affectkit.motion.mirror import MirrorConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class Mirror(MotionFrontEnd[MirrorConfig]):
    """Frames `(B, T, C, H, W)` of any unit in, the same mirrored out; zero for padding."""

    def __init__(self, config: MirrorConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self.channels = stream.channels

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        # NaN in padding would reach gradients through what is masked later: zero times NaN is NaN
        real = inputs.mask[:, :, None, None, None]
        values = torch.where(real, inputs.values, 0.0)
        return inputs.with_values(mirror(values, self.channels))
