"""Which steps of a clip a sparse layer works on: the highest scores of the clip, or of what has come so far.

With a ratio r of dropped steps, n steps leave max(1, ceil((1 - r) n)). The choice is hard and passes no gradient, as in
SparseViT (Chen et al. 2023, arXiv 2303.17605, section 3.1). Of equal scores in a clip, the earlier step goes first.

A clip that is still going on has no highest scores. There a step is kept if it is among those that would be kept of the
last `window` steps, itself included: it looks at nothing that comes later, and what it takes is a list of scores.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# 0.29 * 100 is 28.999999999999996 in floating point, and means 29
_ROUNDING = 1e-9


def count_kept(steps: Tensor, ratio: float) -> Tensor:
    """How many of `steps` (whole numbers of any shape) are left at a ratio in [0, 1): int64; 0 of 0."""
    dropped = torch.floor(steps.double() * ratio + _ROUNDING).long()
    # at least one, unless there is none: a ratio below 1 drops fewer than all already, but for rounding
    return torch.minimum((steps - dropped).clamp(min=1), steps).long()


def count_most(steps: int, ratio: float) -> int:
    """What `count_kept` is at most for clips of `steps` or fewer, without looking at them."""
    return min(max(1, steps - math.floor(steps * ratio + _ROUNDING)), steps)


def score_steps(values: Tensor) -> Tensor:
    """Mean size `(B, T)` of the entries of features `(B, T, D)`, in at least float32; it passes no gradient."""
    values = values.detach()
    return values.to(torch.promote_types(values.dtype, torch.float32)).abs().mean(dim=-1)


def select_highest(scores: Tensor, mask: Tensor, ratio: float) -> Tensor:
    """Which of the real steps have the highest scores of their clip: `(B, T)` bool, False at padding.

    Arguments:
        scores: `(B, T)`, finite where real.
        mask: `(B, T)` bool, True where real.
        ratio: share of the real steps that is dropped, in [0, 1).
    """
    order = scores.masked_fill(~mask, -math.inf).argsort(dim=1, descending=True, stable=True)
    # the order of an order is each step's rank
    rank = order.argsort(dim=1)
    return (rank < count_kept(mask.sum(dim=1, keepdim=True), ratio)) & mask


def select_highest_ref(scores: Tensor, mask: Tensor, ratio: float) -> Tensor:
    """The slow twin: one step after the other is picked."""
    kept = torch.zeros_like(mask)
    for clip in range(len(scores)):
        left = mask[clip].nonzero()[:, 0].tolist()
        share = round((1 - ratio) * len(left), 6)
        for _ in range(min(max(1, math.ceil(share)), len(left))):
            best = max(left, key=lambda t: (scores[clip, t].item(), -t))
            left.remove(best)
            kept[clip, best] = True
    return kept


def select_recent(scores: Tensor, ratio: float, window: int) -> Tensor:
    """Which steps are high among the last `window` up to themselves: `(B, T)` bool.

    Arguments:
        scores: `(B, T)`; minus infinity for a step that is none. Padding may stand behind the real steps, or before.
        ratio: share of the window that is dropped, in [0, 1).
        window: steps, at least 1.
    """
    return rank_last(F.pad(scores, (window - 1, 0), value=-math.inf).unfold(1, window, 1), ratio)


def select_recent_ref(scores: Tensor, ratio: float, window: int) -> Tensor:
    """The slow twin: every window by itself."""
    kept = torch.zeros_like(scores, dtype=torch.bool)
    for clip, row in enumerate(scores.tolist()):
        for t, own in enumerate(row):
            seen = [score for score in row[max(0, t - window + 1) : t + 1] if score > -math.inf]
            higher = sum(score > own for score in seen)
            kept[clip, t] = own > -math.inf and higher < max(1, math.ceil(round((1 - ratio) * len(seen), 6)))
    return kept


def rank_last(windows: Tensor, ratio: float) -> Tensor:
    """Whether the last score of each window `(..., W)` is among those that are kept of it: `(...)` bool.

    Minus infinity stands for no step. Scores that are equal to the last one do not count against it.
    """
    last = windows[..., -1]
    higher = (windows > last.unsqueeze(-1)).sum(dim=-1)
    return (higher < count_kept((windows > -math.inf).sum(dim=-1), ratio)) & (last > -math.inf)


def bring_forward(kept: Tensor) -> Tensor:
    """The order `(B, T)` in which the kept steps come first; kept and others each stay in their own order."""
    return torch.argsort((~kept).int(), dim=1, stable=True)


def take_steps(values: Tensor, order: Tensor) -> Tensor:
    """The steps of `(B, T, D)` named by `order` `(B, K)`: `(B, K, D)`."""
    # gather, since each clip has an order of its own
    return values.gather(1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def put_steps(values: Tensor, order: Tensor, steps: Tensor) -> Tensor:
    """A copy of `(B, T, D)` with `steps` `(B, K, D)` at the places named by `order` `(B, K)`, none of them twice."""
    return values.scatter(1, order.unsqueeze(-1).expand(-1, -1, values.shape[-1]), steps)
