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
    for gap in range(1, min(delta, values.shape[1] - 1) + 1):
        near = torch.exp(-((places[:, gap:] - places[:, :-gap]) ** 2) / sigma).to(values.dtype)
        near = torch.where(real[:, gap:] & real[:, :-gap], near, torch.zeros_like(near))
        shares = near.unsqueeze(-1)
        total = total + _both(shares * given[:, gap:], shares * given[:, :-gap], gap)
        weight = weight + _both(shares, shares, gap).squeeze(-1)
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


def _both(later: Tensor, earlier: Tensor, gap: int) -> Tensor:
    """What comes to each step from the one `gap` steps after it, and from the one before: `(B, T, K)`."""
    pad = torch.nn.functional.pad
    return pad(later, (0, 0, 0, gap)) + pad(earlier, (0, 0, gap, 0))
