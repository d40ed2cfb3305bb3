"""Parts of Transformers that POSTER and POSTER2 share. Tokens are `(N, K, D)`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Sequential):
    """Each token alone through one hidden layer."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class Gate(nn.Module):
    """Features `(N, D)`, each multiplied by a number in (0, 1) that all of them decide: the papers' SE block."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.second(torch.relu(self.first(x))))


class TokenBlock(nn.Module):
    """Attention between all tokens, and a feed-forward block, each behind a normalization and added."""

    def __init__(self, dim: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6)
        self.enter, self.leave = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feedforward_norm = nn.LayerNorm(dim, eps=1e-6)
        self.feedforward = FeedForward(dim, 4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (split(part, self.heads) for part in self.enter(self.attention_norm(x)).chunk(3, dim=-1))
        x = x + self.leave(join(functional.scaled_dot_product_attention(query, key, value)))
        return x + self.feedforward(self.feedforward_norm(x))  # type: ignore[no-any-return]


def split(x: Tensor, heads: int) -> Tensor:
    """Tokens `(N, K, D)` to `(N, heads, K, D / heads)`."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def join(x: Tensor) -> Tensor:
    """What `split` made back to tokens."""
    return x.transpose(1, 2).flatten(2)


def drop_path(update: Tensor, share: float, *, is_training: bool) -> Tensor:
    """Stochastic depth: in training, the update of a face as a whole is dropped, or raised so that its mean stays."""
    if not is_training or share == 0:
        return update
    kept = torch.rand(len(update), device=update.device) >= share
    return update * (kept / (1 - share)).to(update.dtype)[:, None, None]
