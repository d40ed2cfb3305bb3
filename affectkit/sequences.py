"""What travels between built stages: values over time, with a mask and the clip's own times.

Letters: B batch, T time, C channels, H height, W width, D feature width, K targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from affectkit.errors import InputError


class Sequence(NamedTuple):
    """Values over time. A named tuple, so that memory pinning, DDP, `torch.compile` and pytree know how to handle it.

    Attributes:
        values: `(B, T, C, H, W)` frames or `(B, T, D)` features, float.
        mask: `(B, T)` bool, **True where a step is real**. PyTorch's `key_padding_mask` is the opposite.
        times: `(B, T)` float64, seconds of container time; padding holds any finite number.
        extras: what a stage hands to its own `auxiliary`, such as logits for deep supervision; no other stage sees it.
    """

    values: Tensor
    mask: Tensor
    times: Tensor
    extras: Mapping[str, Tensor] | None = None

    @classmethod
    def of(
        cls, values: Tensor, *, mask: Tensor | None = None, times: Tensor | None = None, fps: float = 25.0
    ) -> Sequence:
        """Make a sequence from values `(B, T, ...)`; all steps real, and `fps` for times, unless given.

        Raises:
            InputError: ranks or lengths do not agree, or `fps` is no rate.
        """
        if values.ndim < 3:
            raise InputError(f"values: shape {tuple(values.shape)}; give (B, T, D) or (B, T, C, H, W)")
        if times is None and not 0 < fps < float("inf"):
            raise InputError(f"fps: {fps!r} is not a frame rate; give frames per second, or times")
        batch, steps = values.shape[:2]
        if mask is None:
            mask = torch.ones(batch, steps, dtype=torch.bool, device=values.device)
        if times is None:
            # float64: after two and a half hours of video, float32 seconds are 1 ms apart
            # a view will do for all clips, since no stage writes to its input
            times = (torch.arange(steps, dtype=torch.float64, device=values.device) / fps).expand(batch, steps)
        for name, tensor in (("mask", mask), ("times", times)):
            if tensor.shape != (batch, steps):
                raise InputError(f"{name}: shape {tuple(tensor.shape)}; values of this batch need {(batch, steps)}")
        return cls(values, mask.bool(), times.double())

    def with_values(self, values: Tensor) -> Sequence:
        """The same mask and times with other values of the same B and T."""
        # without extras: they are for the stage that made them
        return Sequence(values, self.mask, self.times)

    def to(self, device: torch.device | str) -> Sequence:
        """A copy on `device`."""
        return Sequence(self.values.to(device), self.mask.to(device), self.times.to(device))

    def step(self, t: int) -> Sequence:
        """Step `t` alone, as a sequence with T = 1."""
        return Sequence(self.values[:, t : t + 1], self.mask[:, t : t + 1], self.times[:, t : t + 1])


class Targets(NamedTuple):
    """Ground truth of one head for one batch.

    Attributes:
        values: int64 class index `(B,)` or `(B, T)` for multiclass; float `(B, K)` or `(B, T, K)` otherwise, and where
            a label is shares of several classes.
        valid: bool of the same shape. Where False, the value is not looked at: partial labels are the rule.
    """

    values: Tensor
    valid: Tensor

    @classmethod
    def of(cls, values: Tensor, valid: Tensor | None = None) -> Targets:
        """Targets with every value valid, unless `valid` says otherwise; it may leave out the last axis, K.

        Raises:
            InputError: no tensors, or the two shapes do not go together.
        """
        for name, given in (("values", values), ("valid", valid)):
            if not isinstance(given, Tensor) and not (name == "valid" and given is None):
                raise InputError(f"targets: {name} is {type(given).__name__}; give a tensor")
        if valid is None:
            return cls(values, torch.ones_like(values, dtype=torch.bool))
        if valid.shape == values.shape[:-1]:
            valid = valid.unsqueeze(-1).expand_as(values)
        if valid.shape != values.shape:
            shapes = f"{tuple(valid.shape)} of valid, {tuple(values.shape)} of values"
            raise InputError(f"targets: shape {shapes}; give one flag per value, or per row of values")
        return cls(values, valid.bool())


Batch = Mapping[str, Sequence]
Scores = dict[str, Tensor]
Losses = dict[str, Tensor]
"""Weighted losses by path, scalars; their sum is what to minimize."""


def masked_mean(values: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """Mean of `values` where `mask` (broadcast to it) is True; 0, with zero gradient, where nothing is.

    What is masked out never reaches the sum, so NaN there stays harmless, in the gradient too. Half precision is
    summed, and returned, as float32: it would overflow.
    """
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    mask = mask.expand_as(values)
    # not `values * mask`: NaN * 0 is NaN
    kept = torch.where(mask, values, torch.zeros_like(values))
    if dim is None:
        return kept.sum() / mask.sum().clamp(min=1)
    return kept.sum(dim) / mask.sum(dim).clamp(min=1)
