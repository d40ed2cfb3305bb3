"""The course of a pulse, and its least-squares fit: half a cosine up to the apex, half a cosine down."""

from __future__ import annotations

from itertools import product

import numpy as np

from affectkit.spotters.face_patterns import Doubles

# First guesses around what a filter has found: lengths and shifts in filter lengths, and share of the rise.
_LENGTHS, _SHIFTS, _RISES = (0.7, 0.85, 1.0, 1.2, 1.45), (-0.3, -0.15, 0.0, 0.15, 0.3), (0.35, 0.45, 0.55)
# The rise takes between these shares of the pulse; seconds of the shortest.
_RISE_LIMITS, _SHORTEST = (0.25, 0.65), 0.1
# First step of the refinement in filter lengths, and how often it is halved.
_STEP, _HALVINGS = 0.08, 4
# What is looked at on both sides: filter lengths and seconds.
_REACH = (1.1, 0.25)

Times = tuple[float, float, float]


def pulse_course(grid: Doubles, onset: float, apex: float, offset: float) -> Doubles:
    """Height in [0, 1] at each moment `(N,)`: 0 outside, 1 at the apex."""
    share = np.where(grid <= apex, (grid - onset) / (apex - onset), (offset - grid) / (offset - apex))
    course: Doubles = (1 - np.cos(np.pi * np.clip(share, 0, 1))) / 2
    return course


def fit_pulse(grid: Doubles, signal: Doubles, center: float, length: float) -> Times:
    """Onset, apex and offset of the pulse that explains most of a signal beside a straight line.

    Arguments:
        grid: seconds `(N,)`.
        signal: `(N,)`; the pulse is positive.
        center: seconds, of what a filter has found.
        length: of that filter, seconds.
    """
    reach = _REACH[0] * length + _REACH[1]
    part = (grid >= center - reach) & (grid <= center + reach)
    x = grid[part]
    line, _ = np.linalg.qr(np.stack([np.ones_like(x), x - x.mean()], axis=1))
    rest = signal[part] - line @ (line.T @ signal[part])

    def explained(times: Times) -> float:
        course = pulse_course(x, *times)
        course = course - line @ (line.T @ course)
        size, along = float(course @ course), float(course @ rest)
        return along**2 / size if along > 0 and size > 1e-9 else 0.0

    best: Times = (center - length / 2, center, center + length / 2)
    for stretch, shift, rise in product(_LENGTHS, _SHIFTS, _RISES):
        onset = center + shift * length - stretch * length / 2
        times = (onset, onset + rise * stretch * length, onset + stretch * length)
        if explained(times) > explained(best):
            best = times
    step = _STEP * length
    for _ in range(_HALVINGS + 1):
        while (better := max(_neighbors(best, step), key=explained, default=best)) and explained(
            better
        ) > 1.0001 * explained(best):
            best = better
        step /= 2
    return best


def subtract_pulse(grid: Doubles, signals: Doubles, pulse: Times) -> None:
    """Take the pulse out of every signal, by as much as the signal has of it. In place."""
    onset, apex, offset = pulse
    part = (grid > onset - 0.2) & (grid < offset + 0.2)
    course = pulse_course(grid[part], onset, apex, offset)
    basis = np.stack([course, np.ones_like(course), grid[part] - grid[part].mean()], axis=1)
    heights = np.linalg.lstsq(basis, signals[part], rcond=None)[0][0]
    signals[part] -= np.outer(course, heights)


def _neighbors(times: Times, step: float) -> list[Times]:
    onset, apex, offset = times
    moved = [
        moved
        for change in (-step, step)
        for moved in ((onset + change, apex, offset), (onset, apex + change, offset), (onset, apex, offset + change))
    ]
    return [item for item in moved if _is_shaped(*item)]


def _is_shaped(onset: float, apex: float, offset: float) -> bool:
    length = offset - onset
    return length >= _SHORTEST and _RISE_LIMITS[0] <= (apex - onset) / length <= _RISE_LIMITS[1]
