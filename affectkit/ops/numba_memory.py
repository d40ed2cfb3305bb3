"""What compiled functions of numba need that are given one address and share their work: memory, and who takes what.

numba's cache on the disk does not notice when another file changes, so that these stay small and as they are.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.extending import intrinsic

from affectkit.ops.scan_team import compiled


def make_kernel(work: Any) -> Any:
    """`work`, a function of one address, as `run_team` takes it; compiled here, if it never was."""
    made = numba.cfunc("void(voidptr)", cache=True, error_model="numpy")(work)
    call = compiled(made.address)
    # what is at the address lives as long as this
    call.made = made
    return call


@intrinsic
def as_floats(context: Any, address: Any) -> Any:
    """The number at an address as a pointer to floats."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return numba.types.CPointer(numba.float32)(numba.int64), lower


@intrinsic
def take(context: Any, numbers: Any, place: Any) -> Any:
    """What stands at a place of an array of int64, to which 1 is added at once: no two threads get the same."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        one = context.get_constant(numba.int64, 1)
        return builder.atomic_rmw("add", builder.gep(array.data, [arguments[1]]), one, "seq_cst")

    return numba.int64(numbers, numba.int64), lower
