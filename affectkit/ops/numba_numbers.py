"""Numbers for compiled functions of numba: powers of two, and random bits that are known by their place.

numba's cache on the disk does not notice when another file changes, so that these stay small and as they are.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

F, U = np.float32, np.uint64
_ROUNDING = F(1.5 * 2**23)
_GAMMA, _FIRST, _SECOND = U(0x9E3779B97F4A7C15), U(0xBF58476D1CE4E5B9), U(0x94D049BB133111EB)
_options = {"nogil": True, "error_model": "numpy", "boundscheck": False, "cache": True}


# no sum may change its order here: rounding is done by adding a number and taking it off
@numba.njit(fastmath={"contract", "nsz", "arcp"}, **_options)
def exp2(t: Any) -> Any:
    """2^t within 2e-7, and exactly 1 at 0; 0 and infinity beyond the range of floats, and NaN of NaN."""
    t = F(-127) if t < F(-127) else t
    t = F(128) if t > F(128) else t
    # adding 1.5 2^23 rounds to an integer, which the lowest bits then hold; it is added to the exponent of 2^f
    rounded = t + _ROUNDING
    f = t - (rounded - _ROUNDING)
    p = F(1.32647272e-3) * f + F(9.67151264e-3)
    p = p * f + F(5.55073374e-2)
    p = p * f + F(2.40222421e-1)
    p = p * f + F(6.93146978e-1)
    p = p * f + F(1)
    return np.int32(F(p).view(np.int32) + np.int32(F(rounded).view(np.int32) << np.int32(23))).view(np.float32)


@numba.njit(**_options)
def draw(seed: Any, first: Any, words: NDArray[np.uint64]) -> None:
    """splitmix64's numbers from that of a place on, after a seed."""
    for i in range(len(words)):
        word = seed + (first + U(i + 1)) * _GAMMA
        word = (word ^ (word >> U(30))) * _FIRST
        word = (word ^ (word >> U(27))) * _SECOND
        words[i] = word ^ (word >> U(31))
