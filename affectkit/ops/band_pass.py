"""A causal band-pass over time, at the frames' own times.

The Butterworth band-pass of order one: gain 1 and no delay at the geometric middle of the band, gain sqrt(1/2) at its
ends. With input u, output p and the slow part q, and B and w of the band's width and middle,

    p' = B (u - p - q),   q' = (w^2 / B) p

From frame to frame by the trapezoidal rule, each gap dt by itself, with the ends f1 and f2 in Hz warped such that they
stay where they are (bilinear transform):

    p - p_ = b (u + u_ - p - p_ - q - q_),   q - q_ = r (p + p_)
    l = tan(pi f1 dt),   h = tan(pi f2 dt),   b = h - l,   r = l h / (h - l)

At a fixed rate that is the digital filter of the textbooks. A gap too long for f2 (half a period or more) is filled in
a straight line; after one longer than a period of f1 the filter begins anew.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

# Seconds: two frames at one time are legal, and nothing passes between them.
_SHORTEST = 1e-6
Band = tuple[float, float]


class BandState(NamedTuple):
    """What the filter remembers of the steps before.

    Attributes:
        passed: `(B, ...)`, p.
        slow: `(B, ...)`, q.
        last: `(B, ...)`, u of the last real step.
        time: `(B,)` float64, its seconds.
        known: `(B,)` bool, whether there was one.
    """

    passed: Tensor
    slow: Tensor
    last: Tensor
    time: Tensor
    known: Tensor


def band_step(
    values: Tensor, times: Tensor, mask: Tensor, band: Band, state: BandState | None
) -> tuple[Tensor, BandState]:
    """What of the next step lies in the band, and the state after it; padding gives zeros and changes nothing.

    Arguments:
        values: `(B, ...)` float32 or float64, finite.
        times: `(B,)` float64, seconds.
        mask: `(B,)` bool, True where real.
        band: lowest and highest frequency, Hz.
        state: of the steps before; None at the start of a clip, which counts as having stood still until then.
    """
    if state is None:
        nothing = torch.zeros_like(values)
        state = BandState(nothing, nothing, nothing, torch.zeros_like(times), torch.zeros_like(mask))
    gap = times - state.time
    begins = mask & (~state.known | (gap > 1 / band[0]))
    goes_on = mask & ~begins
    gap = torch.where(goes_on, gap, torch.zeros_like(gap)).clamp(min=_SHORTEST)
    parts = (2 * band[1] * gap).floor() + 1
    low, high = (torch.tan(math.pi * end * gap / parts) for end in band)

    def spread(numbers: Tensor) -> Tensor:
        """One number per clip, in a shape that goes with `values`."""
        return numbers.to(values.dtype).reshape(-1, *[1] * (values.ndim - 1))

    b, r = spread(high - low), spread(low * high / (high - low))
    passed, slow, before = state.passed, state.slow, state.last
    for part in range(int(parts.max())):
        after = torch.lerp(state.last, values, spread(((part + 1) / parts).clamp(max=1)))
        forth = (passed * (1 - b - b * r) + b * (after + before - 2 * slow)) / (1 + b + b * r)
        is_on = (goes_on & (part < parts)).reshape(b.shape)
        slow = torch.where(is_on, slow + r * (forth + passed), slow)
        passed, before = torch.where(is_on, forth, passed), after
    real, first = mask.reshape(b.shape), begins.reshape(b.shape)
    passed = torch.where(first, torch.zeros_like(passed), passed)
    after_it = BandState(
        passed,
        torch.where(first, values, slow),
        torch.where(real, values, state.last),
        torch.where(mask, times, state.time),
        state.known | mask,
    )
    return torch.where(real, passed, torch.zeros_like(passed)), after_it


def band_pass(values: Tensor, times: Tensor, mask: Tensor, band: Band) -> Tensor:
    """What of whole clips `(B, T, ...)` lies in the band, same shape; `times` and `mask` are `(B, T)`."""
    state, found = None, []
    for t in range(values.shape[1]):
        passed, state = band_step(values[:, t], times[:, t], mask[:, t], band, state)
        found.append(passed)
    return torch.stack(found, dim=1)


def band_pass_ref(values: Tensor, times: Tensor, band: Band) -> Tensor:
    """The slow twin, of one clip `(T,)` without padding: the two equations of each step, solved as they stand."""
    p, q, u = values[0] * 0, values[0], values[0]
    found = [p]
    for t in range(1, len(values)):
        gap = max(float(times[t] - times[t - 1]), _SHORTEST)
        parts = math.floor(2 * band[1] * gap) + 1
        if gap > 1 / band[0]:
            p, q, parts = values[t] * 0, values[t], 0
        low, high = (math.tan(math.pi * end * gap / max(parts, 1)) for end in band)
        b, r = high - low, low * high / (high - low)
        matrix = torch.tensor([[1 + b, b], [-r, 1.0]], dtype=values.dtype)
        for part in range(1, parts + 1):
            after = values[t - 1] + (values[t] - values[t - 1]) * (part / parts)
            right = torch.stack([p + b * (after + u - p - q), q + r * p])
            p, q = torch.linalg.solve(matrix, right)
            u = after
        u = values[t]
        found.append(p)
    return torch.stack(found)
