"""Pulses in many signals at once: out of rest, and back to it, with one time course in all signals that take part.

A pulse filter is a raised cosine of one length less the mean of its flanks, so that offsets and slopes give nothing.
Its responses, over the noise of each signal, are joined to one strength: their root mean square. The strongest pulse is
taken, subtracted from the signals, and the search begins again; what a filter shows beside a pulse goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectkit.spotters.face_regions import Doubles

# Seconds between samples of the grid on which pulses are sought.
STEP = 0.01
# Lengths of the filters in seconds, each 1.4 times the last: between two of them little is lost.
LENGTHS = (0.20, 0.28, 0.40, 0.56, 0.80, 1.1, 1.6, 2.3, 3.2, 4.5)
# The noise is read from the filters that are too short for most expressions.
_NOISE_LENGTHS = 2
# Pixels: codecs leave no less, however still a picture is.
_NOISE_FLOOR = 0.012
# Standard deviations from which a signal adds no more: one broken region is no expression.
_CAP = 12.0
TAIL = 7.0
_MAX_PULSES = 24
# Share of the height at which flanks are read; the foot is where the line through them meets zero.
_LOW, _HALF, _TOP = 0.15, 0.5, 0.85


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
    area = np.concatenate(
        [np.zeros((1, values.shape[1])), np.cumsum((values[1:] + values[:-1]) / 2 * gaps[:, None], 0)]
    )
    half = max(STEP, float(np.median(gaps))) / 2
    low, high = np.clip(grid - half, times[0], times[-1]), np.clip(grid + half, times[0], times[-1])
    means = [(np.interp(high, times, column) - np.interp(low, times, column)) / (high - low) for column in area.T]
    return grid, np.stack(means, axis=1)


def noise_level(signals: Doubles) -> Doubles:
    """Standard deviation of the short filters' responses in rest, per signal `(K,)`, by the median."""
    responses = np.abs(_responses(signals, LENGTHS[:_NOISE_LENGTHS]))
    level: Doubles = np.maximum(1.4826 * np.median(responses, axis=(0, 1)), _NOISE_FLOOR)
    return level


def find_pulses(
    grid: Doubles,
    signals: Doubles,
    noise: Doubles,
    groups: Doubles,
    *,
    threshold: float,
    shortest: float,
    longest: float,
) -> list[Pulse]:
    """Pulses in order of their onsets; they overlap by less than a third of the shorter one.

    Arguments:
        grid: seconds `(N,)`, `STEP` apart.
        signals: `(N, K)`.
        noise: standard deviation of each signal's response, `(K,)`.
        threshold: least strength.
        shortest: seconds from onset to offset.
        longest: seconds.
    """
    lengths = [length for length in LENGTHS if length < 1.2 * longest]
    signals, found = signals.copy(), list[Pulse]()
    sizes = groups.sum(axis=0)
    groups = groups / (sizes + 2 * np.sqrt(TAIL * sizes) + 2 * TAIL)
    tried = np.zeros(len(grid), bool)
    for _ in range(_MAX_PULSES):
        scores = np.clip(_responses(signals, lengths) / noise, -_CAP, _CAP)
        strengths = np.where(tried, 0.0, np.sqrt(((scores**2) @ groups).max(axis=-1)))
        which, at = np.unravel_index(np.argmax(strengths), strengths.shape)
        strength = float(strengths[which, at])
        if strength < threshold:
            break
        tried[max(0, at - 3) : at + 4] = True
        # the signals' sum along the pulse's own pattern has the least noise
        course = signals @ (scores[which, at] / noise)
        shape = _shape(grid, course, int(at), lengths[which])
        if shape is None:
            continue
        first, last, height, (onset, apex, offset) = shape
        _subtract(signals, first, last, height)
        overlaps = any(
            min(offset, other.offset) - max(onset, other.onset) > min(offset - onset, other.offset - other.onset) / 3
            for other in found
        )
        if not overlaps and shortest <= offset - onset <= longest:
            found.append(Pulse(onset, apex, offset, strength))
    return sorted(found, key=lambda pulse: pulse.onset)


def _filter(length: float) -> Doubles:
    inner, flank = round(length / STEP), round(min(max(0.5 * length, 0.12), 0.6) / STEP)
    pulse = np.sin(np.pi * (np.arange(inner) + 0.5) / inner) ** 2
    rest = np.full(flank, -0.5 / flank)
    weights: Doubles = np.concatenate([rest, pulse / pulse.sum(), rest])
    return weights


def _responses(signals: Doubles, lengths: list[float] | tuple[float, ...]) -> Doubles:
    """Each filter at each moment, `(L, N, K)`; beyond its ends the signal stays as it is there."""
    filters = [_filter(length) for length in lengths]
    half = max(len(weights) for weights in filters) // 2
    padded = np.pad(signals, ((half, half), (0, 0)), mode="edge")
    size = 1 << (len(padded) + 2 * half).bit_length()
    spectrum = np.fft.rfft(padded, size, axis=0)
    found = []
    for weights in filters:
        response = np.fft.irfft(spectrum * np.fft.rfft(weights, size).conj()[:, None], size, axis=0)
        start = half - len(weights) // 2
        found.append(response[start : start + len(signals)])
    return np.stack(found)


def _shape(
    grid: Doubles, course: Doubles, at: int, length: float
) -> tuple[int, int, Doubles, tuple[float, float, float]] | None:
    """First and last sample of the pulse around `at`, its height there, and its moments; None where there is none."""
    smooth = np.hanning(9)
    course = np.convolve(np.pad(course, 4, mode="edge"), smooth / smooth.sum(), "valid")
    reach = round(1.1 * length / STEP) + 5
    start, stop = max(0, at - reach), min(len(course), at + reach + 1)
    center, size = at - start, stop - start
    before = np.median(course[start : start + max(1, int(0.4 * center))])
    after = np.median(course[stop - max(1, int(0.4 * (size - center))) : stop])
    rest = np.interp(np.arange(size), [0.2 * center, size - 0.2 * (size - center)], [before, after])
    height = course[start:stop] - rest
    near = round(0.4 * length / STEP)
    peak = max(0, center - near) + int(np.argmax(height[max(0, center - near) : center + near + 1]))
    top = height[peak]
    if top <= 0:
        return None
    rise = [_crossing(height[peak::-1], share * top) for share in (_LOW, _HALF, _TOP)]
    fall = [_crossing(height[peak:], share * top) for share in (_LOW, _HALF, _TOP)]
    left, right = (edge[0] + 0.8 * (edge[0] - edge[1]) for edge in (rise, fall))
    onset, offset = max(0.0, peak - left), min(size - 1.0, peak + right)
    apex = peak + (fall[2] - rise[2]) / 2
    seconds = grid[start] + STEP * np.array([onset, apex, offset])
    first, last = start + int(onset), start + int(np.ceil(offset))
    return first, last, np.maximum(height[first - start : last - start + 1], 0.0), tuple(seconds.tolist())


def _crossing(height: Doubles, level: float) -> float:
    """Samples until the height first falls to `level`, between samples; to the end where it does not."""
    below = np.flatnonzero(height <= level)
    if not len(below):
        return float(len(height) - 1)
    i = int(below[0])
    return i - float((level - height[i]) / (height[i - 1] - height[i]))


def _subtract(signals: Doubles, first: int, last: int, height: Doubles) -> None:
    """Take the pulse out of every signal, by as much as the signal has of it. In place."""
    part = signals[first : last + 1]
    along = np.linspace(0, 1, len(part))[:, None]
    moved = part - (part[0] * (1 - along) + part[-1] * along)
    part -= np.outer(height, height @ moved / max(float(height @ height), 1e-12))
