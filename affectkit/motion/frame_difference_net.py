"""The module of `frame-difference`."""

from __future__ import annotations

import torch

from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.motion.frame_pairs_net import PairState, luma, pair_frames
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class FrameDifference(MotionFrontEnd[FrameDifferenceConfig]):
    """Intensity frames `(B, T, C, H, W)` in, signed differences `(B, T, C, H, W)` (or one channel) out."""

    def __init__(self, config: FrameDifferenceConfig, stream: FrameStream) -> None:
        super().__init__(config)
        # for its errors only: no weight depends on the stream
        config.output(stream)

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        return self.step(inputs, None)[0]

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, PairState]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start."""
        pairs = pair_frames(x_t, self.config.reference, state)
        differences = pairs.frames - pairs.references
        if self.config.gray:
            # luma is linear: the gray of a difference is the difference of the grays
            differences = luma(differences)
        # a frame with nothing before it is paired with zeros: without this its difference would be the frame itself
        valid = pairs.valid[:, :, None, None, None]
        return x_t.with_values(torch.where(valid, differences, 0.0)), pairs.state
