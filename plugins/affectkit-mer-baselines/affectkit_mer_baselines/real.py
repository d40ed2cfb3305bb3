"""Padding kept away from networks with batch normalization, whose statistics it would change."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from affectkit import Sequence
from affectkit.ops.exporting import is_exporting


def of_real_frames(inputs: Sequence, network: Callable[[Tensor], Tensor], dim: int) -> Sequence:
    """Features `(B, T, dim)` of the real ones of the frames `(B, T, C, H, W)`, zero for the others.

    Arguments:
        inputs: frames.
        network: from `(N, C, H, W)`, N at least 1, to `(N, dim)`.
        dim: width of the features.
    """
    if is_exporting():
        # one graph for every mask; zeros first, since padding may hold NaN
        frames = torch.where(inputs.mask[..., None, None, None], inputs.values, 0.0)
        found = network(frames.flatten(0, 1)).reshape(*inputs.mask.shape, dim)
        return inputs.with_values(torch.where(inputs.mask.unsqueeze(-1), found, 0.0))
    features = inputs.values.new_zeros(*inputs.mask.shape, dim)
    if inputs.mask.any():
        found = network(inputs.values[inputs.mask])
        # autocast may have made them narrower
        features = features.index_put((inputs.mask,), found.to(features.dtype))
    return inputs.with_values(features)
