"""The module of `phase`: complex steerable pyramid, phase of every local wave, band-pass over time, shift.

    phi_t = phi_(t-1) + angle(S_t conj(S_(t-1))),   output = frame + join(S_t (exp(i (alpha - 1) band(phi)) - 1))

The phase is counted on from frame to frame, so it does not jump where it passes half a turn. What the pyramid does not
hold (the finest and the coarsest waves, and the colors) is not touched.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from affectkit.interfaces import State
from affectkit.motion.band_magnifier_net import BandMagnifier
from affectkit.motion.frame_pairs_net import luma
from affectkit.motion.phase import PhaseConfig
from affectkit.ops.band_pass import BandState, band_step
from affectkit.ops.images import GaussianBlur
from affectkit.ops.steerable import join_waves, make_windows, split_waves
from affectkit.streams import FrameStream

# Pixels by which a frame is mirrored at its border before it wraps around.
_BORDER = 16
# Of amplitudes, in intensities: far below one gray level of 255.
_TINY = 1e-6


class LevelState(NamedTuple):
    """What streaming remembers of one octave: its waves `(B, K, h, w)`, their phases, and the filter's state."""

    waves: Tensor
    phase: Tensor
    filter: BandState


class Phase(BandMagnifier[PhaseConfig]):
    """RGB or gray frames `(B, T, C, H, W)` in and out."""

    name = "phase"

    def __init__(self, config: PhaseConfig, stream: FrameStream) -> None:
        super().__init__(config, stream)
        self._levels = int(math.log2(min(stream.height, stream.width) + 2 * _BORDER)) - 2
        sides = (_mirrored(stream.height, 2**self._levels), _mirrored(stream.width, 2**self._levels))
        # not persistent: they follow from the stream
        for name, places in zip(("_rows", "_columns"), sides, strict=True):
            self.register_buffer(name, places, persistent=False)
        for level in range(self._levels):
            window = make_windows((len(sides[0]), len(sides[1])), level, config.directions)
            self.register_buffer(f"_window{level}", window.float(), persistent=False)

    def magnify(self, frames: Tensor, times: Tensor, mask: Tensor, state: State) -> tuple[Tensor, list[LevelState]]:
        height, width = frames.shape[-2:]
        gray = luma(frames)[:, 0][:, self.get_buffer("_rows")][..., self.get_buffer("_columns")]
        windows = [self.get_buffer(f"_window{level}") for level in range(self._levels)]
        changes, states = [], []
        for level, waves in enumerate(split_waves(gray, windows)):
            change, after = self._shift(waves, times, mask, None if state is None else state[level])
            changes.append(change)
            states.append(after)
        change = join_waves(changes, windows)[:, None, _BORDER : _BORDER + height, _BORDER : _BORDER + width]
        return change.expand_as(frames), states

    def _shift(self, waves: Tensor, times: Tensor, mask: Tensor, state: LevelState | None) -> tuple[Tensor, LevelState]:
        """What magnification adds to the waves of one octave, and the state after them."""
        amplitude, real = waves.abs(), mask[:, None, None, None]
        if state is None:
            phase, filtered = torch.zeros_like(amplitude), None
        else:
            is_followed = real & state.filter.known[:, None, None, None]
            turn = torch.angle(waves * state.waves.conj())
            phase, filtered = state.phase + torch.where(is_followed, turn, 0.0), state.filter
            waves = torch.where(real, waves, state.waves)
        passed, after = band_step(phase, times, mask, self.config.band, filtered)
        if self.config.smooth:
            blur = GaussianBlur((waves.shape[-2], waves.shape[-1]), self.config.smooth, passed)
            passed = blur(amplitude * passed) / (blur(amplitude) + _TINY)
        shift = (self.config.alpha - 1) * passed
        change = waves * (torch.polar(torch.ones_like(shift), shift) - 1)
        return change, LevelState(waves, phase, after)


def _mirrored(side: int, multiple: int) -> Tensor:
    """Which pixel stands where once a side is mirrored at both ends, and made a multiple: at least `_BORDER` more."""
    total = -(-(side + 2 * _BORDER) // multiple) * multiple
    places = torch.arange(-_BORDER, total - _BORDER) % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)
