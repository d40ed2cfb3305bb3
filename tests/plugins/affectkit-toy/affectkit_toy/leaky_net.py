"""The module of `leaky`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectkit import FeatureStream, Sequence, TemporalEncoder
from affectkit_toy.leaky import LeakyConfig


class Leaky(TemporalEncoder[LeakyConfig]):
    """Features `(B, T, D)` to `(B, T, dim)`; padding leaves the state as it is and gives zeros."""

    def __init__(self, config: LeakyConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.linear = nn.Linear(stream.dim, config.dim)
        self.rate = nn.Parameter(torch.zeros(config.dim))

    @property
    def can_stream(self) -> bool:
        return True

    def initial_state(self, batch: int) -> Tensor:
        return self.rate.new_zeros(batch, self.config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        state = self.initial_state(len(inputs.mask))
        steps = []
        for t in range(inputs.mask.shape[1]):
            y_t, state = self.step(inputs.step(t), state)
            steps.append(y_t.values)
        return inputs.with_values(torch.cat(steps, dim=1))

    def step(self, x_t: Sequence, state: Tensor) -> tuple[Sequence, Tensor]:
        real = x_t.mask
        mapped = self.linear(torch.where(real.unsqueeze(-1), x_t.values, torch.zeros_like(x_t.values))).squeeze(1)
        a = torch.sigmoid(self.rate)
        state = torch.where(real, a * state + (1 - a) * mapped, state)
        return x_t.with_values(torch.where(real, state, torch.zeros_like(state)).unsqueeze(1)), state
