"""The module of `shift`."""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.shift import ShiftConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class Shift(MotionFrontEnd[ShiftConfig]):
    """Frames `(B, T, C, H, W)` of any unit in, the same moved out; zero for padding."""

    def __init__(self, config: ShiftConfig, stream: FrameStream) -> None:
        super().__init__(config)
        # for its errors only
        config.output(stream)

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        # NaN in padding would reach gradients through what is masked later: zero times NaN is NaN
        real = inputs.mask[:, :, None, None, None]
        values = torch.where(real, inputs.values, 0.0)
        moved = _moved(_moved(values, self.config.right, -1), self.config.down, -2)
        return inputs.with_values(moved)


def _moved(values: Tensor, by: int, axis: int) -> Tensor:
    if not by:
        return values
    size = values.shape[axis]
    # what is at x comes from x - by, or from the border where that is outside
    return values.index_select(axis, (torch.arange(size, device=values.device) - by).clamp(0, size - 1))
