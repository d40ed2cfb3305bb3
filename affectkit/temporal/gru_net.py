"""The module of `affectkit.temporal.gru`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affectkit.errors import ConfigError
from affectkit.interfaces import TemporalEncoder
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream
from affectkit.temporal.gru import GRUConfig


class GRU(TemporalEncoder[GRUConfig]):
    """Runs over the real steps as if padding, wherever it is, were absent; zeros come out at padding.

    The recurrence runs in the precision of its parameters, under autocast too: rounding to bfloat16 at every step would
    add up over the clip.
    """

    def __init__(self, config: GRUConfig, stream: FeatureStream) -> None:
        super().__init__(config)
        self.gru = nn.GRU(
            stream.dim,
            config.dim,
            num_layers=config.depth,
            bidirectional=config.bidirectional,
            dropout=config.dropout if config.depth > 1 else 0.0,  # torch drops between layers; the last is ours
            batch_first=True,
        )
        self.dropout = nn.Dropout(config.dropout)

    @property
    def can_stream(self) -> bool:
        return not self.config.bidirectional

    def forward(self, inputs: Sequence) -> Sequence:
        """Features `(B, T, D)` to features `(B, T, dim)`, or `(B, T, 2 * dim)` if bidirectional."""
        # real steps go to the front, in their order; `places` says where each step goes, `order` which one comes there
        places = _places(inputs.mask)
        steps = torch.arange(inputs.mask.shape[1], device=places.device).expand_as(places)
        order = torch.zeros_like(places).scatter(1, places, steps)
        values = _permute(self._enter(inputs), order)
        with torch.autocast(values.device.type, enabled=False):
            if self.config.bidirectional:
                output = self._run_both(values, inputs.mask.sum(dim=1))
            else:
                # forwards, padding behind the last real step can't reach it: no packing, and no wait for the lengths
                output, _ = self.gru(values)
        return self._leave(inputs, _permute(output, places))

    def initial_state(self, batch: int) -> Tensor:
        """Zeros `(depth, B, dim)`.

        Raises:
            ConfigError: the encoder is bidirectional.
        """
        if self.config.bidirectional:
            fact, suggestion = "True, so there is no streaming step", "build it with bidirectional=False"
            raise ConfigError(fact, suggestion, path="bidirectional")
        return self._weight().new_zeros(self.config.depth, batch, self.config.dim)

    def step(self, x_t: Sequence, state: Tensor) -> tuple[Sequence, Tensor]:
        """One step (T = 1) and the state after it; a clip whose step is padding keeps its state."""
        values = self._enter(x_t)
        with torch.autocast(values.device.type, enabled=False):
            output, after = self.gru(values, state)
        # the state is (depth, B, dim): clips lie on its middle axis
        return self._leave(x_t, output), torch.where(x_t.mask.view(1, -1, 1), after, state)

    def _run_both(self, values: Tensor, lengths: Tensor) -> Tensor:
        # packing lets the backward direction begin at each clip's last real step; it refuses clips of length 0
        packed = pack_padded_sequence(values, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        output, _ = self.gru(packed)
        # without the total length, T would shrink to the longest clip of the batch
        return pad_packed_sequence(output, batch_first=True, total_length=values.shape[1])[0]

    def _enter(self, inputs: Sequence) -> Tensor:
        values = torch.where(inputs.mask.unsqueeze(-1), inputs.values, 0.0)
        # autocast may have left bfloat16, which torch's GRU refuses beside float32 weights
        return values.to(self._weight().dtype)

    def _weight(self) -> Tensor:
        return next(self.gru.parameters())

    def _leave(self, inputs: Sequence, output: Tensor) -> Sequence:
        return inputs.with_values(self.dropout(output).masked_fill(~inputs.mask.unsqueeze(-1), 0.0))


def _places(mask: Tensor) -> Tensor:
    """Where each step of `(B, T)` lies when the real ones come first: a stable sort, which ONNX does not have."""
    real, padding = mask.long().cumsum(dim=1), (~mask).long().cumsum(dim=1)
    return torch.where(mask, real - 1, real[:, -1:] + padding - 1)


def _permute(values: Tensor, order: Tensor) -> Tensor:
    """Reorder the steps of `(B, T, D)` by `order` `(B, T)`."""
    # gather, since each clip has an order of its own
    return values.gather(1, order.unsqueeze(-1).expand_as(values))
