"""Which cells of a face show something that is none: a hand, a microphone, hair, a mask's edge.

Two signs, each a ratio that is small on skin. Symbols as in `cell_motion`:

- what of a cell's difference D from the keyframe no displacement explains, sum D^2 - b' A^-1 b: skin moves, and what
  slides over skin makes new pictures;
- how much of the cell's way is that of something that stays where it is while the head moves, b = rho A J h: the
  least-squares rho, times the share of b that it explains.

Neighbors of such a cell are suspect too, since local contrast reaches over its border.
"""

from __future__ import annotations

import numpy as np

from affectkit.spotters.face_patterns import Doubles, Flags

# From where a sign counts: multiples of what is usual in the face, and rho times the share explained.
_STRANGE, _STAYING = 5.0, 0.3
# Whoever is twice as suspect is believed this power of two less.
_POWER = 4


def doubt_cells(strange: Doubles, way: Doubles, head_way: Doubles, next_to: Flags) -> Doubles:
    """By how much the noise variance of each cell is to be multiplied, `(N,)`: 1 where it shows the face.

    Arguments:
        strange: per frame what no displacement explains, `(T, N)`, at least 0.
        way: b of each cell less the head's part, `(S, N, 2)`.
        head_way: A J h at the same moments, `(S, N, 2)`.
        next_to: which cells touch, `(N, N)`.
    """
    usual = np.median(strange, axis=0)
    # a picture without noise explains itself everywhere
    unlike = usual / max(float(np.median(usual)), 1e-12)
    way, head_way = way - way.mean(axis=0), head_way - head_way.mean(axis=0)
    along, size = (way * head_way).sum(axis=(0, 2)), (head_way**2).sum(axis=(0, 2))
    share = along**2 / (size * (way**2).sum(axis=(0, 2)) + 1e-9)
    staying = np.clip(along / (size + 1e-9), 0, 1) * share
    signs = (unlike / _STRANGE, staying / _STAYING)
    doubt: Doubles = 1 + sum(np.where(next_to, sign, 0).max(axis=1) ** _POWER for sign in signs)
    return doubt
