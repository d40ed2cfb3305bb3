"""Blinks: eyes that are unlike themselves for a moment."""

from __future__ import annotations

import numpy as np

from affectkit.spotters.face_patterns import Doubles
from affectkit.spotters.pulse_filters import STEP, Pulse

# Unlikeness to the open eye from which an eye is shut: of one alone, since something may hide the other, and of one
# where the other shows a part of it. Lids that only tighten stay below.
SHUT, _BOTH = 0.28, (0.20, 0.10)
# Share of the peak at which a blink begins and ends, and seconds that are longer than any.
_EDGE, LONGEST_BLINK = 0.1, 0.6
# Seconds around a blink in which the skin near the eyes is not believed.
_MARGIN = 0.06
# Cells above this height, in distances between the eyes, feel a blink.
NEAR_EYES = 0.5


def find_blinks(grid: Doubles, eyes: Doubles) -> list[Pulse]:
    """Blinks in order of time.

    Arguments:
        grid: seconds `(N,)`, on the grid of pulses.
        eyes: unlikeness of each eye to its keyframe, `(N, 2)`.
    """
    heights = np.stack([eye - _running_median(eye, round(LONGEST_BLINK / STEP)) for eye in eyes.T])
    height, other = heights.max(axis=0), heights.min(axis=0)
    is_shut = (height > SHUT) | ((height > _BOTH[0]) & (other > _BOTH[1]))
    found: list[Pulse] = []
    at = 0
    while at < len(grid):
        if not is_shut[at]:
            at += 1
            continue
        stop = at
        while stop + 1 < len(grid) and is_shut[stop + 1]:
            stop += 1
        apex = at + int(np.argmax(height[at : stop + 1]))
        edge = _EDGE * height[apex]
        while at > 0 and height[at - 1] > edge:
            at -= 1
        while stop + 1 < len(grid) and height[stop + 1] > edge:
            stop += 1
        if at < apex < stop and grid[stop] - grid[at] <= LONGEST_BLINK:
            found.append(Pulse(float(grid[at]), float(grid[apex]), float(grid[stop]), float(height[apex] / SHUT)))
        at = stop + 1
    return found


def bridge_blinks(grid: Doubles, signals: Doubles, blinks: list[Pulse]) -> None:
    """Replace the signals `(N, K)` during blinks by the line from before to after. In place."""
    is_blink = np.zeros(len(grid), bool)
    for blink in blinks:
        is_blink |= (grid >= blink.onset - _MARGIN) & (grid <= blink.offset + _MARGIN)
    if is_blink.any() and not is_blink.all():
        for signal in signals.T:
            signal[is_blink] = np.interp(grid[is_blink], grid[~is_blink], signal[~is_blink])


def _running_median(values: Doubles, half: int) -> Doubles:
    padded = np.pad(values, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Doubles = np.median(windows, axis=1)
    return medians
