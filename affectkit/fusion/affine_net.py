"""The module of `affectkit.fusion.affine`: f^_i = (K_i f_i + c_i) + PE, concatenated or summed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit.fusion.affine import AffineFusionConfig
from affectkit.fusion.joint_net import aligned
from affectkit.interfaces import Fusion, NamedModules
from affectkit.ops.dropout import Dropout
from affectkit.ops.linear import Linear
from affectkit.ops.padding import clear_padding
from affectkit.ops.positions import Clock, encode_positions, start_clock
from affectkit.sequences import Sequence
from affectkit.streams import FeatureStream


class AffineFusion(Fusion[AffineFusionConfig]):
    """Aligns each branch by its own affine map and joins them, in the order of `streams`. Zeros at padding.

    Attributes:
        affine: the map (K_i, c_i) of each branch, by name.
    """

    def __init__(self, config: AffineFusionConfig, streams: Mapping[str, FeatureStream]) -> None:
        super().__init__(config)
        self.affine = NamedModules({name: Linear(stream.dim, config.dim) for name, stream in streams.items()})
        self.dropout = Dropout(config.dropout)
        self._widths = {name: stream.dim for name, stream in streams.items()}

    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        """Sequences `(B, T, D_i)` by branch to `(B, T, n * dim)` or `(B, T, dim)`.

        Raises:
            InputError: the branches are not the ones it was built for, or do not share one mask and clock.
        """
        sequences = aligned(inputs, self._widths)
        # a whole clip is one long step from an empty clock, which makes `step` equal to it
        fused, _ = self._fuse(sequences, self.initial_state(next(iter(sequences.values())).mask.shape[0]))
        return fused

    def initial_state(self, batch: int) -> Clock:
        """A clock at which nothing was seen: positions count from the first real step of each clip."""
        return start_clock(batch, next(self.affine.parameters()).device)

    def step(self, x_t: Mapping[str, Sequence], state: Clock) -> tuple[Sequence, Clock]:
        """One step (T = 1) and the clock after it; raises InputError as `forward` does."""
        return self._fuse(aligned(x_t, self._widths), state)

    def _fuse(self, sequences: Mapping[str, Sequence], clock: Clock) -> tuple[Sequence, Clock]:
        first = next(iter(sequences.values()))
        encoded: Tensor | None = None
        # as masks and times are equal, one encoding is that of all branches
        if self.config.positions != "none":
            encoded, clock = encode_positions(
                first.mask,
                first.times,
                clock,
                kind=self.config.positions,
                time_unit=self.config.time_unit,
                dim=self.config.dim,
            )
        parts = []
        for name, sequence in sequences.items():
            part: Tensor = self.affine[name](sequence.values)
            # the sum keeps what autocast chose; float32 would make every later layer cast again
            parts.append(self.dropout(part if encoded is None else part + encoded.to(part.dtype)))
        # PE is part of each f^_i (arXiv 2407.12258), so the sum contains it n times
        joined = torch.cat(parts, dim=-1) if self.config.mode == "concat" else torch.stack(parts).sum(dim=0)
        # zero in is c_i + PE out, so padding has to be cleared again
        return first.with_values(clear_padding(joined, first.mask)), clock
