"""The module of `affectkit.temporal.sparse_mamba`."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from affectkit.errors import ConfigError, InputError
from affectkit.interfaces import TemporalEncoder
from affectkit.ops.exporting import is_exporting
from affectkit.ops.token_selection import (
    bring_forward,
    count_most,
    put_steps,
    rank_last,
    score_steps,
    select_highest,
    select_recent,
    take_steps,
)
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from affectkit.temporal.s6_net import S6, S6State
from affectkit.temporal.sparse_mamba import SparseMambaConfig


class SparseMambaState(NamedTuple):
    """What an encoder in one direction keeps of the steps that it has seen; of constant size.

    Attributes:
        scores: `(B, window - 1)` per scoring, of the last real steps, newest last; minus infinity for none.
        mixers: per layer, of the steps that it kept.
    """

    scores: tuple[Tensor, ...]
    mixers: tuple[S6State, ...]


class SparseLayer(nn.Module):
    """One pre-norm layer on chosen steps; the others come out bit for bit as they went in."""

    def __init__(self, config: SparseMambaConfig, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        rank = config.rank if config.rank is not None else math.ceil(dim / 16)
        sizes = {"state": config.state, "inner": config.expand * dim, "conv": config.conv, "rank": rank}
        self.mixer = S6(dim, **sizes, bidirectional=config.bidirectional)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, kept: Tensor, most: int | None = None) -> Tensor:
        """`(B, T, D)` after the layer.

        Arguments:
            x: `(B, T, D)`.
            kept: the chosen steps, `(B, T)` bool.
            most: how many any clip can keep, for graphs, which don't ask how many it does; None for T.
        """
        if is_exporting():
            size = most or kept.shape[1]
        else:
            # as many as the clip that keeps most; one at the least, since a convolution over nothing is refused
            size = max(1, int(kept.sum(dim=1).max()))
        order = bring_forward(kept)[:, :size]
        chosen, real = take_steps(x, order), kept.gather(1, order)
        changed = chosen + self.dropout(self.mixer(self.norm(chosen), real)).to(x.dtype)
        # a clip of fewer kept steps than `size` has others behind them
        return put_steps(x, order, torch.where(real.unsqueeze(-1), changed, chosen))

    def step(self, x: Tensor, kept: Tensor, state: S6State) -> tuple[Tensor, S6State]:
        """One step `(B, 1, D)` with `kept` `(B, 1)`, and the state after it."""
        mixed, after = self.mixer.step(self.norm(x), state)
        changed = x + self.dropout(mixed).to(x.dtype)
        old_and_new = zip(state, after, strict=True)
        state = S6State(*(torch.where(kept.unsqueeze(-1), new, old) for old, new in old_and_new))
        return torch.where(kept.unsqueeze(-1), changed, x), state


class SparseMamba(TemporalEncoder[SparseMambaConfig]):
    """Layers on the steps that stand out; padding is seen by nothing and comes out as zeros."""

    def __init__(self, config: SparseMambaConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        dim = config.output(stream).dim
        self.enter = nn.Linear(stream.dim, dim) if stream.dim != dim else nn.Identity()
        self.layers = nn.ModuleList(SparseLayer(config, dim) for _ in range(config.depth))
        self.norm = nn.LayerNorm(dim)

    @property
    def can_stream(self) -> bool:
        return not self.config.bidirectional

    def forward(self, inputs: Sequence) -> Sequence:
        """Features `(B, T, D)` to features `(B, T, dim)`.

        Raises:
            InputError: NaN or infinity in a real step.
        """
        if 0 in inputs.mask.shape:
            return self._leave(inputs, self._enter(inputs))
        # once the real steps stand in front, gaps are gone, and a window is a stretch of the tensor
        order = bring_forward(inputs.mask)
        real = inputs.mask.gather(1, order)
        x = take_steps(self._enter(inputs), order)
        scores = score_steps(x)
        for i, (layer, ratio) in enumerate(zip(self._layers(), self.config.ratios, strict=True)):
            if i and self.config.scope == "layer":
                scores = score_steps(x)
            if self.config.bidirectional:
                # int() fixes T in a graph, as the rounds of a recorded scan do
                most = count_most(int(real.shape[1]), ratio)
                x = layer(x, select_highest(scores, real, ratio), most)
            else:
                # where scores only rise, each step is the highest so far
                x = layer(x, select_recent(scores, ratio, self.config.window) & real)
        return self._leave(inputs, put_steps(x, order, x))

    def initial_state(self, batch: int) -> SparseMambaState:
        """No scores, and zeros.

        Raises:
            ConfigError: the encoder is bidirectional.
        """
        if self.config.bidirectional:
            fact, suggestion = "True, so there is no streaming step", "build it with bidirectional=False"
            raise ConfigError(fact, suggestion, path="bidirectional")
        weight = self.norm.weight
        exact = torch.promote_types(weight.dtype, torch.float32)
        empty = weight.new_full((batch, self.config.window - 1), -math.inf, dtype=exact)
        count = self.config.depth if self.config.scope == "layer" else 1
        mixers = tuple(layer.mixer.forwards.initial_state(batch) for layer in self._layers())
        return SparseMambaState((empty,) * count, mixers)

    def step(self, x_t: Sequence, state: SparseMambaState) -> tuple[Sequence, SparseMambaState]:
        """One step (T = 1) and the state after it; a clip whose step is padding keeps its state."""
        x = self._enter(x_t)
        score, scores, mixers = score_steps(x), [], []
        for i, (layer, ratio) in enumerate(zip(self._layers(), self.config.ratios, strict=True)):
            if i and self.config.scope == "layer":
                score = score_steps(x)
            if i < len(state.scores):
                window = torch.cat([state.scores[i], score], dim=1)
                scores.append(torch.where(x_t.mask, window[:, 1:], state.scores[i]))
            kept = rank_last(window, ratio).unsqueeze(1) & x_t.mask
            x, mixer = layer.step(x, kept, state.mixers[i])
            mixers.append(mixer)
        return self._leave(x_t, x), SparseMambaState(tuple(scores), tuple(mixers))

    def _layers(self) -> list[SparseLayer]:
        # all of them are: this gives back the type that a ModuleList forgets
        return [layer for layer in self.layers if isinstance(layer, SparseLayer)]

    def _enter(self, inputs: Sequence) -> Tensor:
        real = inputs.mask.unsqueeze(-1)
        values = torch.where(real, inputs.values, 0.0)
        _check_finite(values)
        # in the parameters' precision: under autocast rounding would add up over layers, and change what is kept
        return self.enter(values).to(self.norm.weight.dtype)  # type: ignore[no-any-return]

    def _leave(self, inputs: Sequence, x: Tensor) -> Sequence:
        return inputs.with_values(self.norm(x).masked_fill(~inputs.mask.unsqueeze(-1), 0.0))


def _check_finite(values: Tensor) -> None:
    """Refuse what is not finite: NaN ranks above every score, and would be kept everywhere."""
    if is_exporting():  # a graph can't refuse; who runs it does
        return
    faulty = (~values.isfinite().all(dim=-1)).nonzero()
    if len(faulty):
        item, step = faulty[0].tolist()
        features = values[item, step]
        value = float(features[~features.isfinite()][0])
        raise InputError(
            f"sparse-mamba: {value} in item {item} of the batch, step {step}; "
            "give finite values, or mask False for what is no real step"
        )
