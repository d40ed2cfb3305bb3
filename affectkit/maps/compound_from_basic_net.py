"""Module of `compound-from-basic`.

    sum         v_a p_a + v_b p_b, with v_a + v_b = 1; equal unless weights are given
    product     p_a p_b
    min         min(p_a, p_b)
    geometric   sqrt(p_a p_b)
    harmonic    2 p_a p_b / (p_a + p_b)

times the prior, divided by the sum over the compounds. All of them are homogeneous in p, so what the basics outside
every pair (neutral, contempt, other) take of the probability cancels, unless a threshold compares it. Everything is
computed in logarithms: of two unlikely expressions the ratios stay right.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from affectkit.data.labels import COMPOUND_BASICS
from affectkit.interfaces import ScoreMap
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.sequences import Sequence
from affectkit.streams import PredictionStream

# Lowest log-probability, for scores of minus infinity; a product of two stays far within float32.
FLOOR = -1e4


@final
class CompoundFromBasic(ScoreMap[CompoundFromBasicConfig]):
    """Scores of basic expressions `(B, T, K)` to log-probabilities of compounds `(B, T, K')`."""

    def __init__(self, config: CompoundFromBasicConfig, stream: PredictionStream) -> None:
        super().__init__(config)
        pairs = [COMPOUND_BASICS[name] for name in config.targets]
        self.first = [stream.targets.index(a) for a, _ in pairs]
        self.second = [stream.targets.index(b) for _, b in pairs]
        shares = [pair_shares(config, *pair) for pair in pairs]
        self.log_shares = [[math.log(share[side]) for share in shares] for side in range(2)]

    def forward(self, inputs: Sequence) -> Sequence:
        return inputs.with_values(self.combine(inputs.values))

    def combine(self, scores: Tensor) -> Tensor:
        """Scores `(..., K)` alone, without mask and times, to log-probabilities `(..., K')`."""
        log_p = torch.log_softmax(scores.to(torch.promote_types(scores.dtype, torch.float32)), dim=-1).clamp(min=FLOOR)
        combined = self._combine(log_p)
        if self.config.threshold:
            passes = log_p > math.log(self.config.threshold)
            first, second = passes[..., self.first], passes[..., self.second]
            kept = first | second if self.config.rule == "sum" else first & second
            masked = self._combine(log_p.masked_fill(~passes, FLOOR)).masked_fill(~kept, 2 * FLOOR)
            combined = torch.where(kept.any(dim=-1, keepdim=True), masked, combined)
        if self.config.prior:
            combined = combined + combined.new_tensor([self.config.prior[name] for name in self.config.targets]).log()
        return torch.log_softmax(combined, dim=-1)

    def _combine(self, log_p: Tensor) -> Tensor:
        log_a, log_b = log_p[..., self.first], log_p[..., self.second]
        if self.config.rule == "sum":
            if self.config.weights:
                share_a, share_b = (log_p.new_tensor(side) for side in self.log_shares)
                log_a, log_b = log_a + share_a, log_b + share_b
            # log(p_a + p_b) without leaving logarithms; of two infinities its gradient would be NaN, hence the floor
            return torch.logaddexp(log_a, log_b)
        if self.config.rule == "min":
            return torch.minimum(log_a, log_b)
        if self.config.rule == "harmonic":
            return log_a + log_b - torch.logaddexp(log_a, log_b)
        return (log_a + log_b) / (2 if self.config.rule == "geometric" else 1)


def pair_shares(config: CompoundFromBasicConfig, a: str, b: str) -> tuple[float, float]:
    """What each expression of a pair counts in the sum; together 1."""
    v_a, v_b = (config.weights.get(name, 1.0) for name in (a, b))
    return v_a / (v_a + v_b), v_b / (v_a + v_b)


def combine_ref(p: Tensor, config: CompoundFromBasicConfig, stream: PredictionStream) -> Tensor:
    """The slow twin: probabilities `(N, K)` to probabilities `(N, K')`, pair by pair, in float64, as the rules say."""
    rows = []
    for row in p.double():
        found, kept = [], []
        for name in config.targets:
            a, b = COMPOUND_BASICS[name]
            p_a, p_b = (row[stream.targets.index(basic)] for basic in (a, b))
            over = [bool(one > config.threshold) for one in (p_a, p_b)]
            kept.append(any(over) if config.rule == "sum" else all(over))
            found.append([_pair_ref(p_a, p_b, config, a, b), _pair_ref(p_a * over[0], p_b * over[1], config, a, b)])
        is_masked = config.threshold > 0 and any(kept)
        values = [
            (masked * keep if is_masked else plain) * config.prior.get(name, 1.0)
            for (plain, masked), keep, name in zip(found, kept, config.targets, strict=True)
        ]
        rows.append(torch.stack(values) / sum(values))
    return torch.stack(rows)


def _pair_ref(p_a: Tensor, p_b: Tensor, config: CompoundFromBasicConfig, a: str, b: str) -> Tensor:
    v_a, v_b = pair_shares(config, a, b)
    if config.rule == "sum":
        return v_a * p_a + v_b * p_b
    if config.rule == "min":
        return torch.minimum(p_a, p_b)
    if config.rule == "harmonic":
        return 2 * p_a * p_b / (p_a + p_b) if p_a + p_b > 0 else 0 * p_a
    if config.rule == "geometric":
        return torch.sqrt(p_a * p_b) if p_a * p_b > 0 else 0 * p_a
    return p_a * p_b
