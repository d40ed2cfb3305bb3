"""The selective scan on the CPU by kernels that work on tiles: memory, threads, and sums over what threads gave.

A tile is `width` channels of one group and one item of the batch. Tiles are independent, but for gradients that are
summed over channels or items; of these each thread has its own, and they are added up at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned, ScanSizes
from affectkit.ops.scan_job import make_job
from affectkit.ops.scan_team import run_team


class TileKernels(Protocol):
    """Compiled loops over tiles, made by `scan_team.compiled`; each takes the address of a `ScanJob`.

    Attributes:
        width: channels of a tile.
        steps: of a chunk.
        forward: writes `out`, `last` and, unless it is 0, `checkpoints` `(tiles, chunks, N, width)`.
        backward: reads `checkpoints`, `d_out` and, unless it is 0, `d_last`; writes `d_u`, `d_delta` and `d_z`, and
            adds to the others.
    """

    width: int
    steps: int

    @property
    def forward(self) -> Any: ...

    @property
    def backward(self) -> Any: ...


# Steps of single states, below which another thread costs more time than it saves.
LEAST = 300_000


@dataclass(frozen=True)
class TiledScan:
    """Both passes of a scan in float32; as many threads as torch has, and one where the work is small."""

    kernels: TileKernels

    def forward(self, inputs: ScanInputs, keep: bool) -> tuple[Scanned, bool | None]:
        sizes = inputs.sizes
        tiles, parts = self._share_out(sizes)
        last = inputs.u.new_empty(sizes.batch, sizes.groups * sizes.per_group, sizes.states)
        kept = inputs.u.new_empty(self.checkpoint_shape(sizes) if keep else (0,))
        out = torch.empty_like(inputs.u)
        job = make_job(inputs, sizes, (out, last, kept if keep else None, *(None,) * 10), tiles, parts)
        run_team(self.kernels.forward, job, parts)
        return Scanned(out, last, kept), not job.broken

    def backward(self, inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None) -> ScanGradients:
        sizes = inputs.sizes
        tiles, parts = self._share_out(sizes)
        d_u, d_delta = torch.empty_like(inputs.u), torch.empty_like(inputs.u)
        d_z = None if inputs.z is None else torch.empty_like(inputs.u)
        summed = (inputs.A, inputs.B, inputs.C, inputs.D, inputs.delta_bias)
        many = (parts,) if parts > 1 else ()
        sums = [None if one is None else one.new_zeros(*many, *one.shape) for one in summed]
        others = (None, None, checkpoints, d_out, d_last, d_u, d_delta, d_z, *sums)
        job = make_job(inputs, sizes, others, tiles, parts)
        run_team(self.kernels.backward, job, parts)
        d_a, d_b, d_c, d_skip, d_bias = (one if one is None or parts == 1 else one.sum(dim=0) for one in sums)
        assert d_a is not None
        assert d_b is not None
        assert d_c is not None
        return ScanGradients(d_u, d_delta, d_a, d_b, d_c, d_skip, d_z, d_bias)

    def checkpoint_shape(self, sizes: ScanSizes) -> tuple[int, ...]:
        chunks = -(-sizes.length // self.kernels.steps)
        return (self._tiles(sizes), chunks, sizes.states, self.kernels.width)

    def _tiles(self, sizes: ScanSizes) -> int:
        return sizes.batch * sizes.groups * -(-sizes.per_group // self.kernels.width)

    def _share_out(self, sizes: ScanSizes) -> tuple[int, int]:
        """How many tiles there are, and how many threads work on them."""
        tiles = self._tiles(sizes)
        is_small = tiles * self.kernels.width * sizes.length * sizes.states < LEAST
        return tiles, 1 if is_small else max(1, min(torch.get_num_threads(), tiles))
