"""What a compiled pass of the selective scan is given: addresses, sizes, and how the work is cut into parts."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from torch import Tensor

from affectkit.ops.scan_inputs import ScanInputs, ScanSizes

POINTERS = (
    "u", "delta", "A", "B", "C", "D", "z", "delta_bias",
    "out", "last", "checkpoints", "d_out", "d_last",
    "d_u", "d_delta", "d_z", "d_A", "d_B", "d_C", "d_D", "d_bias",
)  # fmt: skip
NUMBERS = ("batch", "groups", "per_group", "states", "length", "softplus", "tiles", "parts", "next", "broken")


class ScanJob(ctypes.Structure):
    """`struct Job` of the C++ source, and an array of whole numbers to numba.

    Pointers to tensors of float32, 0 where there is none. Of `d_A` to `d_bias`, which are sums over tiles, each part
    has its own, one behind the other, to add to. A part is tiles `tiles * i / parts` up to those of the next; whoever
    is free takes the next part by adding 1 to `next`, until there is none. A forward pass leaves 1 in `broken` if the
    sum of its output is not finite.
    """

    _fields_ = [(name, ctypes.c_void_p) for name in POINTERS] + [(name, ctypes.c_int64) for name in NUMBERS]


def make_job(inputs: ScanInputs, sizes: ScanSizes, others: Sequence[Tensor | None], tiles: int, parts: int) -> ScanJob:
    """A job of which no part is done; `others` in the order of `POINTERS`, behind the inputs.

    It does not keep its tensors alive.
    """
    *tensors, softplus = inputs
    addresses = [None if one is None else one.data_ptr() for one in (*tensors, *others)]
    return ScanJob(*addresses, *sizes, softplus, tiles, parts, 0, 0)
