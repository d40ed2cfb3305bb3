"""What each action unit (AU) does to the face: how far at intensity 5, and the smooth field that it moves the skin by.

A field is a sum of Gaussian bumps, each a direction times `exp(-((x - cx) / sx)^2 / 2 - ((y - cy) / sy)^2 / 2)`, drawn
on both sides of the face. Its largest displacement is 1, so that a coefficient is the AU's peak in pixels. Intensity
is linear: 5 (E in the Facial Action Coding System) is `FULL[au]` pixels at 50 pixels between the pupils.

Lids and lips also part: an `Opening` (affectkit.data.synthetic.openings) moves the edges by the shares given here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.identity import FaceIdentity

# Pixels between the pupils at which displacements are stated.
REFERENCE_IOD = 50.0
MAX_INTENSITY = 5.0


class Bump(NamedTuple):
    """One bump of a field on the right of the image; the other side mirrors it. Lengths in pupil distances."""

    x: float
    y: float
    sx: float
    sy: float
    u: float
    v: float


class Edges(NamedTuple):
    """How far the edges of the eyes and of the mouth go per unit of the AU; down is positive."""

    upper_lid: float = 0.0
    lower_lid: float = 0.0
    upper_lip: float = 0.0
    lower_lip: float = 0.0


FULL: Mapping[str, float] = MappingProxyType(
    {
        "AU1": 5.0,
        "AU2": 5.0,
        "AU4": 4.0,
        "AU5": 2.5,
        "AU6": 4.0,
        "AU7": 2.5,
        "AU9": 4.0,
        "AU10": 4.0,
        "AU12": 7.0,
        "AU14": 4.0,
        "AU15": 5.0,
        "AU17": 4.5,
        "AU20": 5.5,
        "AU23": 3.0,
        "AU24": 3.0,
        "AU25": 5.0,
        "AU26": 8.0,
        "AU43": 10.0,
        "AU45": 10.0,
    }
)
AUS: tuple[str, ...] = tuple(FULL)
# The edges move by this much where an AU of peak 1 opens or closes them.
EDGES: Mapping[str, Edges] = MappingProxyType(
    {
        "AU5": Edges(upper_lid=-1.0),
        "AU6": Edges(lower_lid=-0.25),
        "AU7": Edges(upper_lid=0.4, lower_lid=-1.0),
        "AU25": Edges(upper_lip=-0.3, lower_lip=1.0),
        "AU26": Edges(lower_lip=0.75),
        "AU43": Edges(upper_lid=1.0, lower_lid=-0.08),
        "AU45": Edges(upper_lid=1.0, lower_lid=-0.08),
    }
)


def bumps(au: str, person: FaceIdentity) -> tuple[Bump, ...]:
    """The bumps of an AU where this person's features lie; empty for an AU that moves edges only."""
    brow, nose, mouth, corner = person.brow_y, person.nose_y, person.mouth_y, person.mouth_width
    table: dict[str, tuple[Bump, ...]] = {
        "AU1": (Bump(0.20, brow - 0.02, 0.20, 0.20, 0.0, -1.0),),
        "AU2": (Bump(0.70, brow - 0.02, 0.24, 0.20, 0.1, -1.0),),
        "AU4": (Bump(0.26, brow, 0.26, 0.18, -0.6, 0.8),),
        "AU6": (Bump(0.62, 0.38, 0.30, 0.20, -0.15, -1.0), Bump(0.92, 0.02, 0.16, 0.16, -0.6, 0.1)),
        "AU9": (
            Bump(0.13, 0.36, 0.15, 0.19, 0.05, -1.0),
            Bump(0.16, brow + 0.02, 0.18, 0.16, -0.2, 0.55),
            Bump(0.20, nose + 0.14, 0.16, 0.13, 0.0, -0.45),
        ),
        "AU10": (Bump(0.22, mouth - 0.14, 0.19, 0.14, 0.06, -1.0),),
        "AU12": (Bump(corner, mouth, 0.19, 0.18, 0.78, -0.62), Bump(0.62, 0.72, 0.26, 0.22, 0.12, -0.42)),
        "AU14": (Bump(corner + 0.06, mouth, 0.16, 0.15, 1.0, 0.05),),
        "AU15": (Bump(corner, mouth + 0.06, 0.18, 0.17, 0.18, 1.0),),
        "AU17": (Bump(0.12, person.chin - 0.30, 0.22, 0.17, 0.0, -1.0), Bump(0.12, mouth + 0.08, 0.2, 0.1, 0.0, -0.5)),
        "AU20": (Bump(corner + 0.03, mouth + 0.06, 0.21, 0.17, 1.0, 0.12),),
        "AU23": (
            Bump(corner - 0.10, mouth, 0.14, 0.12, -1.0, 0.0),
            Bump(0.14, mouth - 0.08, 0.16, 0.07, 0.0, 0.4),
            Bump(0.14, mouth + 0.10, 0.16, 0.07, 0.0, -0.4),
        ),
        "AU24": (
            Bump(0.16, mouth - 0.10, 0.19, 0.08, 0.0, 0.8),
            Bump(0.16, mouth + 0.13, 0.19, 0.09, 0.0, -1.0),
        ),
        "AU26": (Bump(0.22, person.chin - 0.18, 0.42, 0.26, 0.0, 1.0),),
    }
    return table.get(au, ())


def field(au: str, person: FaceIdentity, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """The AU's displacement at points `x`, `y` of the face, `(..., 2)`, of largest length 1 on a whole face.

    The two sides differ by the person's asymmetry. An AU that only moves edges gives zeros.
    """
    total = _sum(au, person, x, y)
    if not bumps(au, person):
        return total
    # A grid that covers where features are, fixed, so that the scale does not depend on the points asked for.
    gx, gy = np.meshgrid(np.linspace(-1.3, 1.3, 131, dtype=np.float32), np.linspace(-1.2, 2.0, 161, dtype=np.float32))
    peak = np.sqrt((_sum(au, person, gx, gy) ** 2).sum(axis=-1)).max()
    return np.asarray(total / peak, np.float32)


def edges(au_pixels: Mapping[str, float]) -> Edges:
    """How far each edge goes for AUs of these peaks, in the same unit."""
    total = np.zeros(4)
    for au, pixels in au_pixels.items():
        if au in EDGES:
            total += pixels * np.array(EDGES[au])
    return Edges(*(float(value) for value in total))


def _sum(au: str, person: FaceIdentity, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.zeros((*x.shape, 2), np.float32)
    for bump in bumps(au, person):
        for side in (-1.0, 1.0):
            size = (1.0 + side * person.asymmetry) * np.exp(
                -0.5 * ((x - side * bump.x) / bump.sx) ** 2 - 0.5 * ((y - bump.y) / bump.sy) ** 2
            )
            total[..., 0] += (side * bump.u * size).astype(np.float32)
            total[..., 1] += (bump.v * size).astype(np.float32)
    return total
