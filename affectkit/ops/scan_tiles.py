"""The selective scan on the CPU by kernels that work on tiles: memory, threads, and sums over what threads gave.

A tile is `width` channels of one group and one item of the batch. Tiles are independent, but for gradients that are
summed over channels or items; of these each thread has its own, and they are added up at the end.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned, ScanSizes


class TileKernels(Protocol):
    """Compiled loops over tiles `first` to `stop`; they let other threads of Python run meanwhile.

    Attributes:
        width: channels of a tile.
        steps: of a chunk.
    """

    width: int
    steps: int

    def forward(self, inputs: ScanInputs, into: Scanned, first: int, stop: int) -> None:
        """Write the output, last states and, unless they are empty, checkpoints `(tiles, chunks, N, width)`."""

    def backward(
        self, inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None, into: ScanGradients,
        first: int, stop: int,
    ) -> None:  # fmt: skip
        """Write gradients of u, delta and z, and add to those of A, B, C, D and the bias."""


# Steps of single states, below which another thread costs more time than it saves.
LEAST = 1_000_000


@dataclass(frozen=True)
class TiledScan:
    """Both passes of a scan in float32; as many threads as torch has, and one where the work is small."""

    kernels: TileKernels

    def forward(self, inputs: ScanInputs, keep: bool) -> Scanned:
        sizes = inputs.sizes
        last = inputs.u.new_empty(sizes.batch, sizes.groups * sizes.per_group, sizes.states)
        kept = inputs.u.new_empty(self.checkpoint_shape(sizes) if keep else (0,))
        into = Scanned(torch.empty_like(inputs.u), last, kept)
        _run(lambda _, first, stop: self.kernels.forward(inputs, into, first, stop), self._tiles(sizes), _parts(sizes))
        return into

    def backward(self, inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None) -> ScanGradients:
        tiles = self._tiles(inputs.sizes)
        parts = max(1, min(_parts(inputs.sizes), tiles))
        d_u, d_delta = torch.empty_like(inputs.u), torch.empty_like(inputs.u)
        d_z = None if inputs.z is None else torch.empty_like(inputs.u)
        summed = (inputs.A, inputs.B, inputs.C, inputs.D, inputs.delta_bias)

        def gathered(d_a: Any, d_b: Any, d_c: Any, d_skip: Any, d_bias: Any) -> ScanGradients:
            return ScanGradients(d_u, d_delta, d_a, d_b, d_c, d_skip, d_z, d_bias)

        if parts == 1:
            alone = gathered(*(None if one is None else torch.zeros_like(one) for one in summed))
            self.kernels.backward(inputs, checkpoints, d_out, d_last, alone, 0, tiles)
            return alone
        sums = [None if one is None else one.new_zeros(parts, *one.shape) for one in summed]

        def work(part: int, first: int, stop: int) -> None:
            into = gathered(*(None if one is None else one[part] for one in sums))
            self.kernels.backward(inputs, checkpoints, d_out, d_last, into, first, stop)

        _run(work, tiles, parts)
        return gathered(*(None if one is None else one.sum(dim=0) for one in sums))

    def checkpoint_shape(self, sizes: ScanSizes) -> tuple[int, ...]:
        chunks = -(-sizes.length // self.kernels.steps)
        return (self._tiles(sizes), chunks, sizes.states, self.kernels.width)

    def _tiles(self, sizes: ScanSizes) -> int:
        return sizes.batch * sizes.groups * -(-sizes.per_group // self.kernels.width)


def _parts(sizes: ScanSizes) -> int:
    steps = sizes.batch * sizes.groups * sizes.per_group * sizes.length * sizes.states
    return torch.get_num_threads() if steps >= LEAST else 1


def _run(work: Callable[[int, int, int], None], tiles: int, parts: int) -> None:
    """Call `work(part, first, stop)` for parts of all tiles, each in a thread; the first part in this one."""
    if parts == 1:
        work(0, 0, tiles)
        return
    bounds = [tiles * part // parts for part in range(parts + 1)]
    begun = [_pool(os.getpid(), parts).submit(work, part, bounds[part], bounds[part + 1]) for part in range(1, parts)]
    work(0, bounds[0], bounds[1])
    for one in begun:
        one.result()


# by process, since threads don't survive a fork
@functools.lru_cache(maxsize=1)
def _pool(process: int, parts: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(parts - 1, thread_name_prefix="affectkit-scan")
