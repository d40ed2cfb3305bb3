"""Eyeballs and the inside of the mouth: what shows where the skin parts."""

from __future__ import annotations

import numpy as np

from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.data.synthetic.openings import Opening
from affectkit.data.synthetic.painting import Array, Canvas, noise, ramp, tint

_IRIS = 0.098
_MOUTH = (0.20, 0.07, 0.07)


def paint_eyeballs(person: FaceIdentity, on: Canvas) -> Array:
    """Both eyeballs without lids, `(H, W, 3)` RGB in [0, 1]; they move with the head and not with the skin."""
    rng = np.random.default_rng([person.seed, 0xE4E])
    image = np.empty((*on.x.shape, 3), np.float32)
    image[:] = (0.86, 0.84, 0.82)
    image *= (1.0 + 0.02 * noise(rng, on, 0.05))[..., None]
    for side in (-1.0, 1.0):
        dx, dy = on.x - side * 0.5, on.y
        near = np.abs(dx) < 0.45
        away = np.hypot(dx, dy)
        # A ball: darker and redder toward the corners.
        corner = ramp(np.abs(dx), 0.08, 0.26) * near
        tint(image, (0.62, 0.47, 0.43), 0.6 * corner)
        spokes = np.sin(np.arctan2(dy, dx) * 23.0 + 3.0 * noise(rng, on, 0.05))
        tone = 0.85 + 0.22 * spokes - 0.55 * ramp(away, 0.066, _IRIS) + 0.35 * ramp(dy, -0.06, 0.08)
        iris = np.array(person.eyes, np.float32) * tone[..., None]
        tint(image, iris, ramp(away, _IRIS + 0.008, _IRIS - 0.008))
        tint(image, (0.02, 0.02, 0.02), ramp(away, 0.045, 0.033))
        glint_x = 0.035 if person.light_x > 0 else -0.035
        glint = ramp(np.hypot(dx - glint_x, dy + 0.038), 0.030, 0.014)
        tint(image, (1.0, 1.0, 1.0), 0.9 * glint)
    image *= (0.92 + 0.12 * person.light_x * on.x)[..., None]
    eyeballs: Array = np.clip(image, 0.0, 1.0)
    return eyeballs


def paint_eye(
    image: Array, eyeball: Array, person: FaceIdentity, opening: Opening, x: Array, y: Array, edges: tuple[float, float]
) -> Array:
    """Put the eyeball into the opening of `image`, in place, with lashes; both `(H, W, 3)`, in [0, 1].

    Arguments:
        image: the skin.
        eyeball: what lies behind it.
        person: whose brows say how dark the lashes are.
        opening: the eye.
        x, y: of the skin's points after the smooth motion, in pupil distances.
        edges: how far the upper and the lower lid have gone.

    Returns:
        How much of each pixel is not skin, `(H, W)`.
    """
    top, bottom, share = opening.curves(x, *edges)
    hole = _between(x, y, top, bottom, share)
    under = y - top
    lit = 1.0 - 0.50 * np.exp(-np.maximum(under, 0.0) / 0.035)
    tint(image, eyeball * lit[..., None], hole)
    ends = ramp(share, 0.0, 0.3)
    upper = 0.85 * np.exp(-0.5 * ((under + 0.004) / 0.013) ** 2) * ends
    lower = 0.28 * np.exp(-0.5 * ((y - bottom - 0.004) / 0.012) ** 2) * ends
    dark = np.array(person.brows, np.float32) * 0.5
    tint(image, dark, np.clip(upper + lower, 0.0, 0.92))
    return hole


def paint_mouth(image: Array, opening: Opening, x: Array, y: Array, edges: tuple[float, float]) -> Array:
    """Put the inside of the mouth between parted lips of `image`, in place; as `paint_eye`."""
    top, bottom, share = opening.curves(x, *edges)
    hole = _between(x, y, top, bottom, share)
    color = np.empty_like(image)
    color[:] = _MOUTH
    across = 1.0 - ramp(np.abs(x - opening.x), 0.16, 0.30)
    # Upper teeth stay with the skull while the lower lip goes down.
    teeth = ramp(y - opening.y, -0.03, -0.01) * ramp(y - opening.y, 0.085, 0.06) * across
    gaps = 1.0 - 0.12 * np.exp(-0.5 * ((np.mod(x + 0.04, 0.08) - 0.04) / 0.006) ** 2)
    tint(color, (np.array([0.82, 0.80, 0.74], np.float32) * gaps[..., None]), 0.85 * teeth)
    color *= (1.0 - 0.45 * np.exp(-np.maximum(y - top, 0.0) / 0.03))[..., None]
    tint(image, color, hole)
    return hole


def _between(x: Array, y: Array, top: Array, bottom: Array, share: Array) -> Array:
    """1 between the edges, soft over about a pixel and a half at 50 pixels between the pupils."""
    soft = np.float32(0.014)
    wide = np.clip((bottom - top) / (2 * soft), 0.0, 1.0)
    hole = ramp(y - top, -0.014, 0.014) * ramp(bottom - y, -0.014, 0.014) * wide * (share > 0.0)
    return np.asarray(hole, np.float32)
