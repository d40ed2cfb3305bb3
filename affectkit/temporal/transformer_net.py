"""The module of `affectkit.temporal.transformer`. Letters: B batch, N heads, T time, S cached steps, d head width."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from affectkit.errors import ConfigError
from affectkit.interfaces import TemporalEncoder
from affectkit.ops.attention import attend, attend_to
from affectkit.ops.dropout import Dropout
from affectkit.ops.gelu import DroppedGELU
from affectkit.ops.linear import Linear
from affectkit.ops.padding import clear_padding
from affectkit.ops.positions import Clock, add_positions, start_clock
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from affectkit.temporal.transformer import TransformerConfig


class TransformerState(NamedTuple):
    """What a causal encoder keeps of the steps that it has seen.

    Attributes:
        clock: where positions count from.
        valid: `(B, S)` bool, True where a cached step is real.
        keys: `(B, N, S, d)` per layer, newest last.
        values: as `keys`.
    """

    clock: Clock
    valid: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


class EncoderLayer(nn.Module):
    """One pre-norm layer, in two halves, so that what is attended to can come from a cache."""

    def __init__(self, dim: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.qkv = Linear(dim, 3 * dim)
        self.merge = Linear(dim, dim)
        self.dropout = Dropout(dropout)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(dim),
            Linear(dim, feedforward),
            DroppedGELU(dropout),
            # files of weights know the layers by their places, and dropout was one of its own
            nn.Identity(),
            Linear(feedforward, dim),
            Dropout(dropout),
        )

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`(B, T, D)` to query, key and value, each `(B, N, T, d)`."""
        query, key, value = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).unbind(dim=2)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def update(self, x: Tensor, attended: Tensor) -> Tensor:
        """`x` after the layer, given what its attention brought, `(B, N, T, d)`."""
        # `x` itself is added un-normalized: pre-norm (arXiv 2002.04745); `feedforward` begins with a norm of its own
        x = x + self.dropout(self.merge(attended.transpose(1, 2).flatten(-2)))
        return x + self.feedforward(x)  # type: ignore[no-any-return]


class Transformer(TemporalEncoder[TransformerConfig]):
    """Self-attention over the real steps; padding is seen by nothing and comes out as zeros."""

    def __init__(self, config: TransformerConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        dim = config.output(stream).dim
        feedforward = config.feedforward if config.feedforward is not None else 4 * dim
        self.enter = Linear(stream.dim, dim) if stream.dim != dim else nn.Identity()
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, config.heads, feedforward, config.dropout) for _ in range(config.depth)
        )
        # pre-norm layers leave a sum of residuals that grows with the depth: one more norm at the end
        self.norm = nn.LayerNorm(dim)

    @property
    def can_stream(self) -> bool:
        return self.config.causal

    def forward(self, inputs: Sequence) -> Sequence:
        """Features `(B, T, D)` to features `(B, T, dim)`."""
        x, _ = self._enter(inputs, start_clock(inputs.mask.shape[0], inputs.values.device))
        for layer in self._layers():
            query, key, value = layer.project(x)
            attended = attend(
                query,
                key,
                value,
                inputs.mask,
                causal=self.config.causal,
                window=self.config.window,
                dropout=self._attention_dropout(),
            )
            x = layer.update(x, attended)
        return self._leave(inputs, x)

    def initial_state(self, batch: int) -> TransformerState:
        """An empty cache; with a window, one of `window - 1` steps, which it keeps for good.

        Raises:
            ConfigError: the encoder is not causal.
        """
        if not self.config.causal:
            raise ConfigError("False, so there is no streaming step", "build it with causal=True", path="causal")
        weight = self.norm.weight
        # one less than the window: the step itself is not in the cache yet
        size = 0 if self.config.window is None else self.config.window - 1
        shape = (batch, self.config.heads, size, len(weight) // self.config.heads)
        empty = tuple(weight.new_zeros(shape) for _ in self.layers)
        valid = torch.zeros(batch, size, dtype=torch.bool, device=weight.device)
        return TransformerState(start_clock(batch, weight.device), valid, empty, empty)

    def step(self, x_t: Sequence, state: TransformerState) -> tuple[Sequence, TransformerState]:
        """One step (T = 1) and the state after it. For a clip whose step is padding, nothing that counts changes."""
        real = x_t.mask
        x, clock = self._enter(x_t, state.clock)
        # a step always sees itself, as in `visible_steps`
        visible = torch.cat((state.valid, torch.ones_like(real)), dim=1)[:, None, None]
        dropout = self._attention_dropout()
        keys, values = [], []
        for layer, old_keys, old_values in zip(self._layers(), state.keys, state.values, strict=True):
            query, key, value = layer.project(x)
            all_keys, all_values = torch.cat((old_keys, key), dim=2), torch.cat((old_values, value), dim=2)
            attended = attend_to(query, all_keys, all_values, visible, dropout=dropout)
            x = layer.update(x, attended)
            keys.append(self._remember(old_keys, all_keys, real))
            values.append(self._remember(old_values, all_values, real))
        # the flags in the shape of a cache, so that they are kept and dropped together with it
        seen = torch.cat((state.valid, real), dim=1)[:, None, :, None]
        valid = self._remember(state.valid[:, None, :, None], seen, real)[:, 0, :, 0]
        return self._leave(x_t, x), TransformerState(clock, valid, tuple(keys), tuple(values))

    def _attention_dropout(self) -> float:
        # the functional attention drops whenever it is told to, in evaluation too
        if not self.training:
            return 0.0
        return self.config.dropout if self.config.attention_dropout is None else self.config.attention_dropout

    def _remember(self, old: Tensor, grown: Tensor, real: Tensor) -> Tensor:
        """A cache `(B, N, S, d)` after a step: all of it, or with a window the newest, unless the step is padding."""
        if self.config.window is None:
            # a step of padding may stay here, as `valid` hides it
            return grown
        # the window counts real steps, as in `visible_steps`, so padding must push none of them out
        return torch.where(real[:, :, None, None], grown[:, :, 1:], old)

    def _layers(self) -> list[EncoderLayer]:
        # all of them are: this gives back the type that a ModuleList forgets
        return [layer for layer in self.layers if isinstance(layer, EncoderLayer)]

    def _enter(self, inputs: Sequence, clock: Clock) -> tuple[Tensor, Clock]:
        # hidden keys have weight 0, but 0 times a NaN value is NaN, so what lies in padding goes first
        x = self.enter(clear_padding(inputs.values, inputs.mask))
        positions, unit = self.config.positions, self.config.time_unit
        x, clock = add_positions(x, inputs.mask, inputs.times, clock, kind=positions, time_unit=unit)
        return self.dropout(x), clock

    def _leave(self, inputs: Sequence, x: Tensor) -> Sequence:
        # padding attended to itself, so its rows are finite but not zero
        return inputs.with_values(clear_padding(self.norm(x), inputs.mask))
