"""Windows of a map: cutting, choosing the strongest, and putting them back.

Letters: B pictures, H and W sides of the map, K windows, w side of a window, C channels.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Windows(NamedTuple):
    """A map cut into windows, row by row; those at the right and lower border are filled up with zeros.

    Attributes:
        tokens: `(B, K, w, w, C)`.
        real: `(K, w, w)` bool, False where filled up; None where no window had to be.
    """

    tokens: Tensor
    real: Tensor | None


def cut(maps: Tensor, side: int) -> Windows:
    """`(B, H, W, C)` into windows of `side`."""
    height, width = maps.shape[1:3]
    below, right = -height % side, -width % side
    if not (below or right):
        return Windows(_cut(maps, side), None)
    padded = functional.pad(maps, (0, 0, 0, right, 0, below))
    real = functional.pad(maps.new_ones(1, height, width, 1, dtype=torch.bool), (0, 0, 0, right, 0, below))
    return Windows(_cut(padded, side), _cut(real, side)[0, ..., 0])


def join(tokens: Tensor, height: int, width: int) -> Tensor:
    """The map `(B, height, width, C)` of the tokens of its windows; undoes `cut`."""
    batch, _, side, _, channels = tokens.shape
    rows, columns = -(-height // side), -(-width // side)
    grid = tokens.reshape(batch, rows, columns, side, side, channels).transpose(2, 3)
    return grid.reshape(batch, rows * side, columns * side, channels)[:, :height, :width]


def count_kept(windows: int, ratio: float) -> int:
    """How many of `windows` stay when a share of `ratio` is left out: rounded up, and at least one."""
    # 0.3 * 10 is a little more than 3 in floats, and would be rounded up to 4
    return max(1, math.ceil(round((1 - ratio) * windows, 6)))


def strengths(tokens: Tensor, norm: Literal["l2", "l1", "max"]) -> Tensor:
    """Strength `(B, K)` of windows: the norm, over their places, of the mean magnitude over channels."""
    exact = torch.promote_types(tokens.dtype, torch.float32)
    magnitudes = tokens.detach().to(exact).abs().mean(dim=-1).flatten(2)
    strength: Tensor = torch.linalg.vector_norm(magnitudes, ord={"l2": 2, "l1": 1, "max": torch.inf}[norm], dim=-1)
    return strength


def choose(strength: Tensor, kept: int) -> Tensor:
    """Indexes `(B, kept)` of the strongest windows, ascending; of equal ones, the first."""
    return strength.argsort(dim=1, descending=True, stable=True)[:, :kept].sort(dim=1).values


def take(tokens: Tensor, chosen: Tensor) -> Tensor:
    """The windows `(B, kept, w, w, C)` at `chosen`."""
    # whole windows as rows: the gradient of an index over single values takes several times as long
    taken = tokens.flatten(0, 1).flatten(1).index_select(0, _rows(chosen, tokens.shape[1]))
    return taken.reshape(*chosen.shape, *tokens.shape[2:])


def put(tokens: Tensor, chosen: Tensor, new: Tensor) -> Tensor:
    """A copy of `tokens` with the windows at `chosen` replaced."""
    rows = tokens.flatten(0, 1).flatten(1)
    replaced = rows.index_copy(0, _rows(chosen, tokens.shape[1]), new.to(tokens.dtype).flatten(0, 1).flatten(1))
    return replaced.reshape(tokens.shape)


def _rows(chosen: Tensor, windows: int) -> Tensor:
    starts = torch.arange(chosen.shape[0], device=chosen.device).unsqueeze(1) * windows
    return (chosen + starts).flatten()


def _cut(maps: Tensor, side: int) -> Tensor:
    batch, height, width, channels = maps.shape
    grid = maps.reshape(batch, height // side, side, width // side, side, channels).transpose(2, 3)
    return grid.reshape(batch, -1, side, side, channels)
