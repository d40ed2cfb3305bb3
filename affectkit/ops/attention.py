"""Attention between the real steps of a clip, causal and windowed if asked, and its slow twin.

    y_i = sum_j softmax_j(q_i . k_j / sqrt(d)) v_j        over the steps j that step i may see

Letters: B batch, N heads, T time, d width of a head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops.attention_dropout import attend_dropping, can_drop_in_parts
from affectkit.ops.dropout import drop
from affectkit.ops.padding import is_all_real


def visible_steps(mask: Tensor, *, causal: bool = False, window: int | None = None) -> Tensor:
    """Which step sees which: `(B, T, T)` bool, `[b, i, j]` True where step i of clip b attends to step j.

    Padding is seen by no other step. Every step sees itself, padding too, so that no row is empty: a softmax over
    nothing is NaN, and NaN in an unused row would still reach the gradient.

    Arguments:
        mask: `(B, T)` bool, True where real.
        causal: whether a step sees itself and what comes before it, alone.
        window: with `causal`, how many real steps it sees, itself included; None for all.
    """
    steps = mask.shape[1]
    visible = mask.unsqueeze(1).expand(-1, steps, -1)
    if causal:
        # row i is the step that looks, column j the one that is seen: below the diagonal lies the past
        visible = visible.tril()
        if window is not None:
            # the window counts real steps, so that a gap of padding does not shorten it
            rank = mask.cumsum(dim=1)
            visible = visible & (rank.unsqueeze(2) - rank.unsqueeze(1) < window)
    return visible | torch.eye(steps, dtype=torch.bool, device=mask.device)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    *,
    causal: bool = False,
    window: int | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """Attention over `(B, N, T, d)`, by `visible_steps`. What comes out at padding is finite and means nothing."""
    if window is None and is_all_real(mask):
        # the fused kernels are faster without a mask to read
        if not dropout:
            return functional.scaled_dot_product_attention(query, key, value, is_causal=causal)
        if not causal:
            return attend_to(query, key, value, None, dropout=dropout)
    visible = visible_steps(mask, causal=causal, window=window).unsqueeze(1)
    return attend_to(query, key, value, visible, dropout=dropout)


def attend_to(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, *, dropout: float = 0.0) -> Tensor:
    """Attention of queries `(B, N, T, d)` to keys and values `(B, N, S, d)`.

    Arguments:
        visible: bool, broadcast to `(B, N, T, S)`, True where a step is seen; in every row there must be one. None for
            all.
        dropout: share of the weights that is dropped, in [0, 1).
    """
    if dropout and query.device.type == "cpu" and not torch.compiler.is_compiling():
        # torch fuses nothing with dropout on a CPU, and takes longer to draw it than for both products
        if can_drop_in_parts(query, key, value):
            return attend_dropping(query, key, value, visible, dropout)
        scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
        if visible is not None:
            scores = scores.masked_fill(~visible, -math.inf)
        return drop(scores.softmax(dim=-1), dropout) @ value
    # its bool mask has True = attend, as ours; nn.MultiheadAttention's is the opposite
    # its own scale is 1 / sqrt(d) (Vaswani et al. 2017, equation 1)
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=visible, dropout_p=dropout)


def attend_ref(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    *,
    causal: bool = False,
    window: int | None = None,
    factors: Tensor | None = None,
) -> Tensor:
    """Slow twin of `attend`: for every real step, list what it sees and take the weighted mean; 0 at padding.

    Arguments:
        factors: `(B, N, T, T)`, by which the weights are multiplied, as dropout does with 0 and 1 / (1 - p).
    """
    clips = []
    for b in range(query.shape[0]):
        real = [t for t in range(query.shape[2]) if mask[b, t]]
        rows = []
        for i in range(query.shape[2]):
            if i not in real:
                rows.append(torch.zeros_like(query[b, :, i]))
                continue
            seen = [j for j in real if not causal or j <= i]
            if window is not None:
                seen = seen[-window:]
            scores = torch.stack([(query[b, :, i] * key[b, :, j]).sum(-1) for j in seen], dim=-1)
            weights = torch.softmax(scores / math.sqrt(query.shape[-1]), dim=-1)
            weights = weights if factors is None else weights * factors[b, :, i, seen]
            rows.append(sum((weights[:, n : n + 1] * value[b, :, j] for n, j in enumerate(seen)), torch.tensor(0.0)))
        clips.append(torch.stack(rows, dim=1))
    return torch.stack(clips)
