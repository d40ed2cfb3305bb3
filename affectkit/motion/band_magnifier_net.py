"""The base of the modules of `eulerian` and `phase`: frame by frame, each with a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.band_magnifier import BandMagnifierConfig
from affectkit.motion.frame_pairs_net import check_finite, real_frames
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

B = TypeVar("B", bound=BandMagnifierConfig)


class BandMagnifier(MotionFrontEnd[B], ABC):
    """Frames `(B, T, C, H, W)` in [0, 1] in, frames of the same shape with larger motion out; padding is zero."""

    name: str

    def __init__(self, config: B, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)

    @abstractmethod
    def magnify(self, frames: Tensor, times: Tensor, mask: Tensor, state: State) -> tuple[Tensor, State]:
        """What is to be added to the frames `(B, C, H, W)` of one step, at `times` `(B,)`, and the state after it."""

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        return self.step(inputs, None)[0]

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, State]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start."""
        check_finite(x_t, self.name)
        check_rate(x_t, self.name, self.config.band)
        # float32 at least: half precision errs by more than these motions
        frames = real_frames(x_t).to(torch.promote_types(x_t.values.dtype, torch.float32))
        made = []
        with torch.autocast(frames.device.type, enabled=False):
            for t in range(frames.shape[1]):
                change, state = self.magnify(frames[:, t], x_t.times[:, t], x_t.mask[:, t], state)
                made.append((frames[:, t] + change).clamp(0, 1))
        magnified = x_t.with_values(torch.stack(made, dim=1).to(x_t.values.dtype))
        return magnified.with_values(real_frames(magnified)), state


def check_rate(inputs: Sequence, name: str, band: tuple[float, float]) -> None:
    """Raise InputError where most gaps between the real frames of a clip are too long for the band."""
    for item, (times, mask) in enumerate(zip(inputs.times, inputs.mask, strict=True)):
        gaps = times[mask].diff()
        # of fewer, one dropped frame would decide
        if len(gaps) < 3:
            continue
        rate = 1 / max(float(gaps.median()), 1e-9)
        if band[1] >= rate / 2:
            raise InputError(
                f"{name}: item {item} of the batch has {rate:.3g} frames per second, of which band {band!r} "
                f"goes beyond half; write an upper end below {rate / 2:.3g} Hz"
            )
