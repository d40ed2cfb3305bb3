"""Signals on an even grid of time, and how much of a pulse of some length is in them around each moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectkit.spotters.face_patterns import Doubles

# Seconds between samples of the grid on which pulses are sought.
STEP = 0.02
# Seconds: flanks of a filter, as a share of its length and within limits, and what stands for the time beyond an end.
_FLANK, _FLANKS, _END = 0.6, (0.16, 0.6), 0.12


@dataclass(frozen=True)
class Pulse:
    """One pulse: seconds, and its strength in standard deviations of the noise."""

    onset: float
    apex: float
    offset: float
    strength: float


def resample(times: Doubles, values: Doubles) -> tuple[Doubles, Doubles]:
    """Values `(T, K)` at any ascending times, as means over the steps of a fixed grid `(N,)`: `(N, K)`.

    Steps are multiples of `STEP`, wherever the signal begins. Where frames are further apart, the means are over the
    usual gap between them.
    """
    grid = np.arange(np.ceil(times[0] / STEP), np.floor(times[-1] / STEP) + 1) * STEP
    gaps = np.diff(times)
    steps = (values[1:] + values[:-1]) / 2 * gaps[:, None]
    area = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])
    half = max(STEP, float(np.median(gaps))) / 2
    low, high = np.clip(grid - half, times[0], times[-1]), np.clip(grid + half, times[0], times[-1])
    means = (_between(times, area, high) - _between(times, area, low)) / (high - low)[:, None]
    return grid, means


def respond(signals: Doubles, length: float) -> Doubles:
    """Height of a pulse of that length around each moment, `(N, K)`."""
    weights = _filter(length)
    half, end = len(weights) // 2, round(_END / STEP)
    # one last sample alone would be all noise
    before, after = (np.repeat(part.mean(axis=0)[None], half, axis=0) for part in (signals[:end], signals[-end:]))
    padded = np.concatenate([before, signals, after])
    size = 1 << (len(padded) + len(weights)).bit_length()
    spectrum = np.fft.rfft(padded, size, axis=0) * np.fft.rfft(weights, size).conj()[:, None]
    found: Doubles = np.fft.irfft(spectrum, size, axis=0)[: len(signals)]
    return found


def _filter(length: float) -> Doubles:
    inner, flank = max(3, round(length / STEP)), round(min(max(_FLANK * length, _FLANKS[0]), _FLANKS[1]) / STEP)
    pulse = np.pad(np.sin(np.pi * (np.arange(inner) + 0.5) / inner) ** 2, flank)
    weights = pulse - pulse.mean()
    return np.asarray(weights / (weights @ pulse))


def _between(times: Doubles, columns: Doubles, at: Doubles) -> Doubles:
    """Columns `(T, K)` at other times, by straight lines."""
    right = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    share = ((at - times[right - 1]) / (times[right] - times[right - 1]))[:, None]
    values: Doubles = columns[right - 1] * (1 - share) + columns[right] * share
    return values
