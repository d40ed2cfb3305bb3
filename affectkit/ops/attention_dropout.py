"""Attention with dropout of its weights on a CPU, in parts that stay in a core's cache.

    s = q k^T / sqrt(d),   w = softmax(s),   y = (m w) v        with the factors m of `draw_factors`

torch fuses attention there, but not with dropout; done layer by layer, everything of size `(B, N, T, S)` goes through
memory several times. Here only w does, which the backward pass needs, and m is drawn again. Draws, and what comes out
up to rounding, are those of `drop(softmax(s)) @ v`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from affectkit.ops.dropout import draw_factors, draw_seed, to_least
from affectkit.ops.exporting import is_watched

# scores that are computed at once: 1 MB
_AT_ONCE = 1 << 18


def can_drop_in_parts(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether `attend_dropping` takes these."""
    return (
        all(one.dtype == torch.float32 and one.device.type == "cpu" for one in (query, key, value))
        and min(query.numel(), key.numel(), value.numel()) > 0
        and query.shape[:2] == key.shape[:2] == value.shape[:2]
        # which would multiply in its own precision
        and not torch.is_autocast_enabled("cpu")
        and not is_watched()
        and _has_numba()
    )


def attend_dropping(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, p: float) -> Tensor:
    """Attention of queries `(B, N, T, d)` to keys and values `(B, N, S, d)`, float32 on the CPU.

    Arguments:
        visible: bool, broadcast to `(B, N, T, S)`, True where a step is seen; None for all.
        p: share of the weights that is dropped, in (0, 1).
    """
    if visible is not None:
        visible = visible.expand(*query.shape[:3], key.shape[2])
    attended: Tensor = _Attention.apply(query, key, value, visible, draw_seed(), to_least(p))  # type: ignore[no-untyped-call]
    return attended


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, seed: int, least: int
    ) -> Tensor:
        from affectkit.ops.attention_numba import softmax_drop

        (batch, heads, steps, width), seen = query.shape, key.shape[2]
        weights = query.new_empty(batch, heads, steps, seen)
        # in memory (B, T, N, d): what comes next joins the heads of a step
        attended = query.new_empty(batch, steps, heads, value.shape[3]).transpose(1, 2)
        for part in _parts(batch, heads * steps * seen):
            own = weights[part]
            scores = _multiply(query[part], key[part].transpose(2, 3), 1 / math.sqrt(width))
            if visible is not None:
                scores.view_as(own).masked_fill_(~visible[part], -math.inf)
            dropped = torch.empty_like(scores)
            softmax_drop(scores, own, dropped, part.start * heads * steps * seen, seed, least)
            attended[part] = torch.bmm(dropped, value[part].flatten(0, 1)).view(-1, heads, steps, value.shape[3])
        ctx.save_for_backward(query, key, value, visible, weights)
        ctx.drawn = seed, least
        return attended

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, visible, weights = ctx.saved_tensors
        # whoever asks for gradients may do so under autocast, which forward refused: kernels take float32 alone
        with torch.autocast("cpu", enabled=False):
            if torch.is_grad_enabled():
                # somebody will ask for the gradient of the gradient
                found = _differentiable(query, key, value, visible, gradient, *ctx.drawn)
            else:
                found = _in_parts(query, key, value, weights, gradient, *ctx.drawn)
        return *found, None, None, None


def _in_parts(
    query: Tensor, key: Tensor, value: Tensor, weights: Tensor, gradient: Tensor, seed: int, least: int
) -> tuple[Tensor, ...]:
    """Gradients of query, key and value."""
    from affectkit.ops.attention_numba import softmax_drop_backward

    batch, heads, steps, seen = weights.shape
    factor = 1 / math.sqrt(query.shape[3])
    grads = tuple(torch.empty_like(one) for one in (query, key, value))
    for part in _parts(batch, heads * steps * seen):
        scores = _multiply(gradient[part], value[part].transpose(2, 3), 1.0)
        dropped = torch.empty_like(scores)
        softmax_drop_backward(scores, weights[part], dropped, part.start * heads * steps * seen, seed, least)
        found = (
            _multiply(scores.view_as(weights[part]), key[part], factor),
            _multiply(scores.view_as(weights[part]).transpose(2, 3), query[part], factor),
            _multiply(dropped.view_as(weights[part]).transpose(2, 3), gradient[part], 1.0),
        )
        for whole, own in zip(grads, found, strict=True):
            whole[part] = own.view_as(whole[part])
    return grads


def _parts(batch: int, scores: int) -> Iterator[slice]:
    """Slices of the batch, of each item of which there are so many scores."""
    each = max(_AT_ONCE // scores, 1)
    return (slice(start, start + each) for start in range(0, batch, each))


def _multiply(one: Tensor, other: Tensor, factor: float) -> Tensor:
    """`(b, N, T, d)` times `(b, N, d, S)` and a factor, as `(b N, T, S)`."""
    one, other = one.flatten(0, 1), other.flatten(0, 1)
    # with beta=0 what is added to is not read
    return torch.baddbmm(one.new_empty(()), one, other, beta=0, alpha=factor)


def _differentiable(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, gradient: Tensor, seed: int, least: int
) -> tuple[Tensor, ...]:
    """The same by operations of torch, which have gradients themselves."""
    factor = 1 / math.sqrt(query.shape[3])
    scores = query @ key.transpose(2, 3) * factor
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    weights = scores.softmax(dim=-1)
    factors = draw_factors(weights, seed, least)
    through = gradient @ value.transpose(2, 3) * factors
    to_scores = weights * (through - (through * weights).sum(dim=-1, keepdim=True)) * factor
    dropped = weights * factors
    return to_scores @ key, to_scores.transpose(2, 3) @ query, dropped.transpose(2, 3) @ gradient


@functools.cache
def _has_numba() -> bool:
    try:
        from affectkit.ops.attention_numba import softmax_drop

        one = torch.zeros(1, 1, dtype=torch.float32, device="cpu")
        softmax_drop(one, one.clone(), one.clone(), 0, 0, 0)
    # also where its cache has no place, or its insides are others
    except Exception:
        return False
    return True
