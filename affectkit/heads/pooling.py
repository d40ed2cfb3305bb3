"""Pooling a clip's features to one vector, over its real steps only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectkit.sequences import masked_mean


class Pooling(nn.Module):
    """`(B, T, D)` to `(B, D)`. Padding may hold anything, NaN too; a clip without a real step gives zeros.

    `attention` weighs step t by `a_t = softmax_t(w . x_t)` over the real steps, with a learned w of D numbers.

    Arguments:
        how: `mean`, `last` (real step) or `attention`.
        dim: D.
    """

    def __init__(self, how: str, dim: int) -> None:
        super().__init__()
        self.how = how
        # No bias: the softmax would cancel it.
        self.attention = nn.Linear(dim, 1, bias=False) if how == "attention" else None

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Arguments: values `(B, T, D)`; mask `(B, T)`, True where real."""
        real = mask.unsqueeze(-1)
        # float16 would overflow in a sum over a long clip
        precise = torch.promote_types(values.dtype, torch.float32)
        if self.how == "mean":
            return masked_mean(values, real, dim=1).to(values.dtype)
        values = values.masked_fill(~real, 0.0)
        if self.attention is None:
            steps = torch.arange(values.shape[1], device=values.device)
            # a clip without a real step takes step 0, which is zero by now
            last = torch.where(mask, steps, 0).amax(dim=1)
            return values[torch.arange(values.shape[0], device=values.device), last]
        scores: Tensor = self.attention(values).to(precise)
        # The lowest finite number, since a softmax over nothing but -inf is NaN.
        weights = scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(dim=1)
        return (weights * values).sum(dim=1).to(values.dtype)
