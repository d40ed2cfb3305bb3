"""The module of `eulerian`.

    output = frame + sum over octaves i of (alpha_i - 1) octave_i(band(frame))
    alpha_i = alpha min(1, lambda_i / cutoff)

with lambda_i the wavelength of an octave. The band-pass over time and the pyramid over space are both linear, so their
order does not count: one filter on the whole frame serves all octaves.
"""

from __future__ import annotations

import math

from torch import Tensor

from affectkit.interfaces import State
from affectkit.motion.band_magnifier_net import BandMagnifier
from affectkit.motion.eulerian import EulerianConfig
from affectkit.ops.band_pass import BandState, band_step
from affectkit.ops.laplacian import join_octaves, split_octaves

# Pixels, of the finest octave.
FINEST = 4.0


class Eulerian(BandMagnifier[EulerianConfig]):
    """RGB or gray frames `(B, T, C, H, W)` in and out; every channel by itself."""

    name = "eulerian"

    def magnify(self, frames: Tensor, times: Tensor, mask: Tensor, state: State) -> tuple[Tensor, BandState]:
        band, after = band_step(frames, times, mask, self.config.band, state)
        height, width = frames.shape[-2:]
        gains = octave_gains(self.config.alpha, self.config.cutoff, min(height, width))
        levels = split_octaves(band, len(gains))
        levels = [gain * level for gain, level in zip([*gains, self.config.alpha - 1], levels, strict=True)]
        return join_octaves(levels), after


def octave_gains(alpha: float, cutoff: float, side: int) -> list[float]:
    """How much of each octave below the cutoff is added, finest first; none where motion is damped."""
    if alpha <= 1 or cutoff <= FINEST:
        return []
    count = min(math.ceil(math.log2(cutoff / FINEST)), int(math.log2(side)))
    # a factor below 1 would take away the motion that is there
    return [max(alpha * FINEST * 2**i / cutoff - 1, 0.0) for i in range(count)]
