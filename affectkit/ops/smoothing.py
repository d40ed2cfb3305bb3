"""Smoothing of scores over the listed frames of a video, which may lie at irregular distances.

    s_i = sum_j w_ij x_j / sum_j w_ij        w_ij = exp(-(n_i - n_j)^2 / sigma)        |i - j| <= delta

n_i is the number of the i-th listed frame, so that i - j counts listed frames and n_i - n_j the frames of the video.
Source: public code of the ABAW7 multi-task challenge (A. Savchenko, face-emotion-recognition, `ABAW7/mtl.ipynb`). On
its validation data this raised the CCC of valence and arousal (sigma 1e5, delta 10) and the F1 of expressions (sigma
1e5, delta 50, of probabilities), and lowered the F1 of action units at any setting.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.exporting import is_exporting
from affectkit.ops.token_selection import bring_forward, put_steps, take_steps


def smooth_steps(values: Tensor, positions: Tensor, mask: Tensor, *, sigma: float, delta: int) -> Tensor:
    """Weighted means `(B, T, K)`, in at least float32; steps that are not real keep their values.

    Time grows with T delta, memory with T alone.

    Arguments:
        values: `(B, T, K)`.
        positions: `(B, T)` float64, frames from any origin; those of a clip ascend.
        mask: `(B, T)` bool, True where real. Neighbors are counted among the real steps.
        sigma: squared frames, above 0.
        delta: how many neighbors to each side, at least 0.
    """
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    order = bring_forward(mask)
    real, places = mask.gather(1, order), positions.gather(1, order)
    given = take_steps(values, order).masked_fill(~real.unsqueeze(-1), 0.0)
    total, weight = given, real.to(values.dtype)
    steps = values.shape[1]
    # a graph serves clips of any length, shorter ones than the reach too
    reach = delta if is_exporting() else min(delta, max(steps - 1, 0))
    # behind the end stands what is not real, so that there is a step after each
    after_real, after_places, after = (_extended(part, reach) for part in (real, places, given))
    for gap in range(1, reach + 1):
        later = slice(gap, gap + steps)
        near = torch.exp(-((after_places[:, later] - places) ** 2) / sigma).to(values.dtype)
        near = torch.where(after_real[:, later] & real, near, 0.0)
        shares = near.unsqueeze(-1)
        total = total + (shares * after[:, later] + _moved(shares * given, gap))
        weight = weight + (near + _moved(shares, gap).squeeze(-1))
    means = total / weight.clamp(min=1.0).unsqueeze(-1)
    return put_steps(values, order, torch.where(real.unsqueeze(-1), means, take_steps(values, order)))


def smooth_steps_ref(values: Tensor, positions: Tensor, mask: Tensor, *, sigma: float, delta: int) -> Tensor:
    """The slow twin: every step with its neighbors, one by one, in float64."""
    smoothed = values.double().clone()
    for clip in range(len(values)):
        listed = mask[clip].nonzero()[:, 0].tolist()
        for i, t in enumerate(listed):
            near = listed[max(i - delta, 0) : i + delta + 1]
            weights = [math.exp(-((float(positions[clip, t] - positions[clip, other])) ** 2) / sigma) for other in near]
            parts = [weight * values[clip, other].double() for weight, other in zip(weights, near, strict=True)]
            smoothed[clip, t] = torch.stack(parts).sum(dim=0) / sum(weights)
    return smoothed


def smooth_frames(values: ArrayLike, frames: ArrayLike, *, sigma: float = 1e5, delta: int = 10) -> NDArray[np.float64]:
    """Weighted means of one video's values, such as predictions from a table: `(T, K)` or `(T,)`, as they came.

    Probabilities stay probabilities.

    Arguments:
        values: `(T, K)` or `(T,)`, finite.
        frames: numbers of the frames `(T,)`, ascending.
        sigma: squared frames, above 0.
        delta: how many listed neighbors to each side, at least 0.

    Raises:
        InputError: shapes don't fit, frames descend, a value is NaN or infinite, or a setting is out of its range.
    """
    given, numbers = np.asarray(values, np.float64), np.asarray(frames, np.float64)
    if given.ndim not in (1, 2) or numbers.shape != given.shape[:1]:
        raise InputError(f"frames: {numbers.shape} for values {given.shape}; give (T,) for (T,) or (T, K)")
    if (np.diff(numbers) < 0).any():
        raise InputError("frames: not in ascending order; sort the values by frame")
    if not np.isfinite(given).all():
        raise InputError("values: NaN or infinite; leave such frames out")
    if not sigma > 0:
        raise InputError(f"sigma: {sigma!r}; give more than 0 squared frames")
    if delta < 0:
        raise InputError(f"delta: {delta!r} neighbors; give 0 or more")
    clip = torch.from_numpy(given if given.ndim == 2 else given[:, None]).unsqueeze(0)
    mask = torch.ones(1, len(given), dtype=torch.bool)
    smoothed = smooth_steps(clip, torch.from_numpy(numbers).unsqueeze(0), mask, sigma=sigma, delta=delta)
    return smoothed.numpy().reshape(given.shape)


def _extended(steps: Tensor, count: int) -> Tensor:
    """`(B, T + count, ...)`: zeros behind the end."""
    return torch.cat([steps, steps.new_zeros((steps.shape[0], count, *steps.shape[2:]))], dim=1)


def _moved(steps: Tensor, gap: int) -> Tensor:
    """What each step `(B, T, K)` gives to the one `gap` steps after it, as far as there is one."""
    return torch.nn.functional.pad(steps, (0, 0, gap, 0))[:, : steps.shape[1]]
