"""What a path of the selective scan has to offer, and the ones that compute here, by name."""

from __future__ import annotations

import functools
from typing import Protocol

from torch import Tensor

from affectkit.ops import scan_torch
from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned, ScanSizes


class ScanKernels(Protocol):
    """A forward and a backward pass that fit together."""

    def forward(self, inputs: ScanInputs, keep: bool) -> tuple[Scanned, bool | None]:
        """The scan, with `keep` the checkpoints that `backward` needs, and whether the sum of the output is finite, or
        None where nobody has looked."""

    def backward(self, inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None) -> ScanGradients:
        """Gradients from those of the output and of the last state."""

    def checkpoint_shape(self, sizes: ScanSizes) -> tuple[int, ...]:
        """Of the checkpoints that `forward` keeps."""


@functools.cache
def kernels(path: str) -> ScanKernels:
    """Those of `native`, `numba` or `torch`; the first two are compiled here, if they never were."""
    if path == "native":
        from affectkit.ops.scan_native import load_native
        from affectkit.ops.scan_tiles import TiledScan

        return TiledScan(load_native())
    if path == "numba":
        from affectkit.ops.scan_numba import NumbaTiles
        from affectkit.ops.scan_tiles import TiledScan

        return TiledScan(NumbaTiles())
    return scan_torch
