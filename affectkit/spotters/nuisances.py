"""What moves in a face video and is no expression: blinks, and things that stand still before a moving face."""

from __future__ import annotations

import numpy as np

from affectkit.spotters.face_regions import Doubles
from affectkit.spotters.pulses import STEP, Pulse

# Unlikeness to the open eye, mean of both, from which an eye is shut; lids that only tighten stay well below.
SHUT = 0.25
# Share of the peak at which a blink begins and ends, and seconds that are longer than any.
_EDGE, LONGEST_BLINK = 0.12, 0.6
# Seconds around a blink in which the skin near the eyes is not believed.
_MARGIN = 0.04
# Regions above this height, in distances between the eyes, feel a blink.
NEAR_EYES = 0.5


def find_blinks(grid: Doubles, eyes: Doubles) -> list[Pulse]:
    """Blinks: both eyes unlike themselves for a moment.

    Arguments:
        grid: seconds `(N,)`, on the grid of pulses.
        eyes: unlikeness of each eye to its keyframe, `(N, 2)`.
    """
    mean = eyes.mean(axis=1)
    height = mean - _running_median(mean, round(LONGEST_BLINK / STEP))
    # one eye alone may be behind a hand
    is_shut = (height > SHUT) & (eyes.min(axis=1) > SHUT / 2)
    found: list[Pulse] = []
    at = 0
    while at < len(grid):
        if not is_shut[at]:
            at += 1
            continue
        stop = at
        while stop + 1 < len(grid) and height[stop + 1] > SHUT:
            stop += 1
        apex = at + int(np.argmax(height[at : stop + 1]))
        edge = _EDGE * height[apex]
        while at > 0 and height[at - 1] > edge:
            at -= 1
        while stop + 1 < len(grid) and height[stop + 1] > edge:
            stop += 1
        if grid[stop] - grid[at] <= LONGEST_BLINK:
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


def remove_still(regions: Doubles, head: Doubles, centers: Doubles) -> tuple[Doubles, Doubles]:
    """Take out of each region what stays where it is while the head moves, such as a hand or a microphone.

    Seen from the head such a thing moves against the head: by a share of its motion, as far as the region is covered.
    The share is fitted per region and axis, robustly, since expressions are not of that kind.

    Arguments:
        regions: displacement `(N, R, 2)`, pixels.
        head: the head's motion `(N, 4)`: shift, and shift by growth and turn at one eye distance.
        centers: of the regions `(R, 2)`, in eye distances.

    Returns:
        Signals `(N, 2R)`, and how uncertain each is for that reason, pixels `(2R,)`: half of what was taken out, the
        greater of both axes.
    """
    x, y = centers.T
    tx, ty, a, b = (part[:, None] for part in head.T)
    moved = np.stack([tx + a * x - b * y, ty + a * y + b * x], axis=-1).reshape(len(head), -1)
    signals: Doubles = regions.reshape(len(regions), -1)
    u, v = moved - moved.mean(axis=0), signals - np.median(signals, axis=0)
    weights = np.ones_like(u)
    for _ in range(5):
        # a head that hardly moves says nothing: the term on the right keeps the share at 0 then
        share = -(weights * u * v).sum(axis=0) / ((weights * u * u).sum(axis=0) + 0.02 * len(u))
        rest = v + share * u
        rest = rest - np.median(rest, axis=0)
        scale = np.maximum(1.4826 * np.median(np.abs(rest), axis=0), 0.02)
        weights = 1 / (1 + (rest / (2 * scale)) ** 2)
    doubt = (np.abs(share) * moved.std(axis=0)).reshape(-1, 2).max(axis=1)
    return signals + share * moved, np.repeat(0.5 * doubt, 2)


def _running_median(values: Doubles, half: int) -> Doubles:
    padded = np.pad(values, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    medians: Doubles = np.median(windows, axis=1)
    return medians
