"""Modulation of magnitudes, learnable and soft. Symbols as in arXiv 2510.07810 where it has them:

    M_c = theta_1 N_1 + theta_2 N_2, N_k the magnitude of phase k from 0 at its least to 1 at its largest
    g = g_lo + (g_hi - g_lo) sigmoid(k (M_c - tau))

Learned are theta (a softmax, so that both stay positive and sum to 1), tau in (0, 1), k above 0, g_lo in (0, 1) and
g_hi in (1, 2): a small motion is never raised, a large one never weakened. As k grows, g tends to the hard rule.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# Where learning begins; the fixed rule stays here.
TAU, STEEPNESS, LOW, HIGH = 0.25, 10.0, 0.5, 1.5


class Modulation(nn.Module):
    """From scaled magnitudes `(B, 1 or 2, H, W)`, and which phases are real, to gains `(B, 1, H, W)` in (0, 2)."""

    def __init__(self, *, is_soft: bool) -> None:
        super().__init__()
        self.is_soft = is_soft
        if is_soft:
            self.theta = nn.Parameter(torch.zeros(2))
            self.tau = nn.Parameter(torch.tensor(_logit(TAU)))
            self.steepness = nn.Parameter(torch.tensor(math.log(math.expm1(STEEPNESS))))
            self.low = nn.Parameter(torch.tensor(_logit(LOW)))
            self.high = nn.Parameter(torch.tensor(_logit(HIGH - 1)))

    def forward(self, lengths: Tensor, is_real: Tensor) -> Tensor:
        theta = self.theta[: lengths.shape[1]] if self.is_soft else lengths.new_zeros(lengths.shape[1])
        # The phase that is missing leaves its weight to the other.
        shares = theta.masked_fill(~is_real, -torch.inf).softmax(dim=1)
        combined = (shares[:, :, None, None] * lengths).sum(dim=1, keepdim=True)
        if not self.is_soft:
            return torch.where(combined >= TAU, HIGH, LOW)
        tau, low, high = self.tau.sigmoid(), self.low.sigmoid(), 1 + self.high.sigmoid()
        return low + (high - low) * torch.sigmoid(functional.softplus(self.steepness) * (combined - tau))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
