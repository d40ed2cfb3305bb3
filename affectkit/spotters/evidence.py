"""From the motion of cells to that along the patterns of a face, with what is known of the noise.

Symbols as in `cell_motion`: b, A, J, h per cell. A movement of c along pattern p changes b by -s c, s = A p. Cells are
weighted by w = 1 over the variance of their b (a matched filter for noise that differs from cell to cell): q = s' w b
is then -G c, with the Gram matrix G = s' w s of the patterns. What the head's motion looks like, A J, is taken out of s
first, so that what is left of it in b adds nothing.

A codec repeats old pixels where it finds too little change: then b shows the past, and all movements seem late. So q is
given twice: as it is seen, and with each cell's way drawn as a straight line from one moment in which it was coded anew
to the next. The first has less noise, the second the right times.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from affectkit.spotters.blinks import NEAR_EYES, bridge_blinks, find_blinks
from affectkit.spotters.cell_motion import LEAST_TEXTURE, REWEIGHTINGS, ROBUST, Motion
from affectkit.spotters.face_patterns import Doubles, FaceGrid, Flags
from affectkit.spotters.foreign_cells import doubt_cells
from affectkit.spotters.pulse_filters import Pulse, resample, respond
from affectkit.spotters.pulse_shapes import subtract_pulse

# Share of a cell's pixels that differ from the last frame's where it was coded anew.
_FRESH = 0.5
# Seconds of the filters by which a cell's noise is read, and how much the longer one counts.
_SHORT, _LONG, _LONG_SHARE = 0.36, 0.8, 0.7
# Least noise of a cell: pixels, and share of what is usual in the face.
_LEAST_PIXELS, _LEAST_SHARE = 0.08, 0.3
# Added to the diagonal of the scaled Gram matrix: patterns that are alike don't cancel each other.
_RIDGE = 0.02


@dataclass(frozen=True)
class CellEvidence:
    """What a window says of the cells.

    Attributes:
        grid: seconds `(N,)`, `pulse_filters.STEP` apart.
        seen: b of each cell and axis without the head's part, by the pictures as they are, `(N, 2 cells)`.
        timed: the same with repeated pixels drawn as lines.
        normal: A of each cell, `(cells, 2, 2)`.
        by_head: A J, `(2 cells, 4)`.
        looks: s of each pattern, `(P, 2 cells)`.
        doubt: factor of each cell's noise variance, `(cells,)`: 1 where it shows the face.
        blinks: blinks of the window.
    """

    grid: Doubles
    seen: Doubles
    timed: Doubles
    normal: Doubles
    by_head: Doubles
    looks: Doubles
    doubt: Doubles
    blinks: list[Pulse]


@dataclass(frozen=True)
class Evidence:
    """What a window says along P patterns, each in units in which G is 1 on its diagonal.

    Attributes:
        grid: seconds `(N,)`, `pulse_filters.STEP` apart.
        seen: -q by the pictures as they are, `(N, P)`.
        timed: -q with repeated pixels drawn as lines, `(N, P)`.
        rest: `seen` without what may be movements, `(N, P)`: the noise.
        gram: G, `(P, P)`.
    """

    grid: Doubles
    seen: Doubles
    timed: Doubles
    rest: Doubles
    gram: Doubles


def gather(times: Doubles, motions: Collection[Motion], normal: Doubles, face: FaceGrid) -> CellEvidence:
    """The cells of a window.

    Arguments:
        times: of its frames, `(T,)` ascending seconds.
        motions: of its frames.
        normal: A of each cell, `(N, 2, 2)`.
        face: the cells.
    """
    cells = np.stack([item.cells for item in motions]).astype(np.float64)
    fresh = np.stack([item.fresh for item in motions]) > _FRESH
    head = np.stack([item.head for item in motions])
    by_head = normal @ face.turns
    # the whole way of each cell: what stays the same while pixels are repeated, wherever the head goes
    way = cells - np.einsum("nij,tj->tni", by_head, head)
    grid, eyes = resample(times, np.stack([item.eyes for item in motions]))
    blinks = find_blinks(grid, eyes)
    ways = [resample(times, item.reshape(len(item), -1))[1] for item in (way, _drawn(times, way, fresh))]
    first = _off_head(grid, ways[0], normal, face, face.trust, blinks)
    head_way = resample(times, np.einsum("nij,tj->tni", by_head, head).reshape(len(head), -1))[1]
    strange = np.stack([item.strange for item in motions]).astype(np.float64)
    in_cells = (len(grid), -1, 2)
    doubt = doubt_cells(strange, first.reshape(in_cells), head_way.reshape(in_cells), face.next_to)
    seen, timed = (_off_head(grid, item, normal, face, face.trust / doubt, blinks) for item in ways)
    looks = np.einsum("nij,pnj->pni", normal, face.patterns).reshape(len(face.patterns), -1)
    return CellEvidence(grid, seen, timed, normal, by_head.reshape(-1, 4), looks, doubt, blinks)


def weigh(cells: CellEvidence, movements: Collection[Pulse] = ()) -> Evidence:
    """The evidence along the patterns, with each cell weighed by its noise.

    Arguments:
        cells: of a window.
        movements: what may be movements; they don't count as noise.
    """
    quiet = cells.seen.copy()
    for pulse in sorted(movements, key=lambda pulse: -pulse.strength):
        subtract_pulse(cells.grid, quiet, (pulse.onset, pulse.apex, pulse.offset))
    weights = _weights(quiet, cells.normal) / np.repeat(cells.doubt, 2)
    weighted = cells.by_head * weights[:, None]
    shared = np.linalg.solve(weighted.T @ cells.by_head + 1e-9 * np.eye(4), weighted.T @ cells.looks.T)
    looks = cells.looks - (cells.by_head @ shared).T
    gram = (looks * weights) @ looks.T
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-12))
    along = -(looks * weights).T * scale
    return Evidence(
        grid=cells.grid,
        seen=cells.seen @ along,
        timed=cells.timed @ along,
        rest=quiet @ along,
        gram=gram * np.outer(scale, scale) + _RIDGE * np.eye(len(gram)),
    )


def _drawn(times: Doubles, way: Doubles, fresh: Flags) -> Doubles:
    """The cells' ways `(T, N, 2)`, as lines between the frames that show something new."""
    drawn = way.copy()
    for cell in np.flatnonzero(~fresh[1:].all(axis=0)):
        new = np.flatnonzero(fresh[:, cell])
        if len(new):
            for axis in (0, 1):
                drawn[:, cell, axis] = np.interp(times, times[new], way[new, cell, axis])
    return drawn


def _off_head(
    grid: Doubles, way: Doubles, normal: Doubles, face: FaceGrid, trust: Doubles, blinks: list[Pulse]
) -> Doubles:
    """b without the head's part and without blinks, `(N, 2 cells)`, of the cells' ways of that shape."""
    size = np.trace(normal, axis1=1, axis2=2) + LEAST_TEXTURE
    by_head = normal @ face.turns
    products = (face.turns.transpose(0, 2, 1) @ by_head).reshape(-1, 16)
    way = way.reshape(len(grid), -1, 2)
    sums = np.einsum("tni,nij->tnj", way, face.turns, optimize=True)
    weights = np.repeat(trust[None], len(grid), axis=0)
    for _ in range(REWEIGHTINGS):
        matrix = (weights @ products).reshape(-1, 4, 4) + 1e-3 * np.eye(4)
        head = -np.linalg.solve(matrix, (weights[:, None] @ sums)[:, 0, :, None])[..., 0]
        rest = way + (head @ by_head.reshape(-1, 4).T).reshape(way.shape)
        weights = trust / (1 + (rest**2).sum(axis=-1) / (ROBUST * size) ** 2) ** 2
    cells = rest.reshape(len(grid), -1)
    near = np.repeat(face.places[:, 1] < NEAR_EYES, 2)
    # a copy, since a selection by flags is one
    upper = cells[:, near]
    bridge_blinks(grid, upper, blinks)
    cells[:, near] = upper
    return cells


def _weights(cells: Doubles, normal: Doubles) -> Doubles:
    """w of each cell and axis, `(2N,)`, by what the signals themselves show most of the time."""
    short, long = (1.4826 * np.median(np.abs(respond(cells, length)), axis=0) for length in (_SHORT, _LONG))
    least = _LEAST_PIXELS * normal[:, [0, 1], [0, 1]].reshape(-1) + _LEAST_SHARE * np.median(short)
    weights: Doubles = 1 / (short**2 + (_LONG_SHARE * long) ** 2 + least**2 + 1e-12)
    return weights
