"""Temporal interpolation of a clip to a fixed number of frames (TIM), as micro-expression work has it.

Zhou, Zhao and Pietikainen, "Towards a practical lipreading system", CVPR 2011, embed N frames as a path graph, whose
Laplacian has the eigenvectors

    f_k(t) = sin(pi k t + pi (N - k) / (2 N)),   t = p / N,   p = 1 ... N

and read the curve off at n places between p = 1 and N. That is cos(pi k (p - 1/2) / N), the basis of the discrete
cosine transform (DCT-II): so the n frames are the N ones, transformed along time and evaluated between the frames, and
neither the graph nor the singular value decomposition of the usual code is needed. `interpolate_frames_ref` sums the
cosines frame by frame.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.errors import InputError


def interpolate_frames(frames: Tensor, count: int) -> Tensor:
    """`count` frames `(count, ...)` of a clip `(N, ...)`, evenly spaced from its first to its last frame.

    With `count` N it is the clip. Values can exceed the range of the clip's, as any interpolation by waves does: cut
    pictures off at 0 and 1. A single frame is repeated. Differentiable; in float32 at least.

    Raises:
        InputError: there are no frames, or `count` is less than 1.
    """
    _check(frames, count)
    dtype = torch.promote_types(frames.dtype, torch.float32)
    weights = _weights(len(frames), count).to(dtype=dtype, device=frames.device)
    return (weights @ frames.to(dtype).reshape(len(frames), -1)).reshape(count, *frames.shape[1:])


def interpolate_frames_ref(frames: Tensor, count: int) -> Tensor:
    """The slow twin: every frame as a sum of cosines, in float64."""
    _check(frames, count)
    size, values = len(frames), frames.double()
    found = []
    for place in range(count):
        p = 1 + place * (size - 1) / (count - 1) if count > 1 else 1.0
        frame = values.mean(dim=0)
        for k in range(1, size):
            waves = [math.cos(math.pi * k * (j - 0.5) / size) for j in range(1, size + 1)]
            coefficient = torch.stack([wave * value for wave, value in zip(waves, values, strict=True)]).sum(dim=0)
            frame = frame + 2 / size * coefficient * math.cos(math.pi * k * (p - 0.5) / size)
        found.append(frame)
    return torch.stack(found)


def _check(frames: Tensor, count: int) -> None:
    if frames.ndim == 0 or not len(frames):
        raise InputError("frames: none; give at least one")
    if count < 1:
        raise InputError(f"count: {count!r} frames; give 1 or more")


def _weights(size: int, count: int) -> Tensor:
    """What each frame counts in each of the new ones, `(count, size)` float64; rows sum to 1."""
    p = torch.linspace(1, size, count, dtype=torch.float64) - 0.5
    j = torch.arange(1, size + 1, dtype=torch.float64) - 0.5
    k = torch.arange(1, size, dtype=torch.float64)
    there, here = (torch.cos(torch.pi / size * torch.outer(places, k)) for places in (p, j))
    return 1 / size + 2 / size * there @ here.T
