"""Hair and brows, strand by strand as far as a video shows them."""

from __future__ import annotations

import numpy as np

from affectkit.data.synthetic.identity import FaceIdentity, HairStyle
from affectkit.data.synthetic.painting import Array, Canvas, Sheet, noise, ramp, tint

# How far the hair goes down at the sides of the face.
_DROP: dict[HairStyle, float] = {"short": 0.95, "parted": 1.0, "long": 3.4, "bun": 0.75, "bald": 0.2}


def paint_hair_behind(sheet: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    """Hair that hangs behind the neck, for long hair."""
    if person.hair_style != "long":
        return
    back = sheet.crop(-1.5, -1.1, 1.5, 3.2)
    on = back.on
    wide = 1.22 + 0.10 * np.sin(1.7 * on.y + 0.5)
    ragged = 0.035 * noise(rng, on, 0.12)
    mask = ramp(np.abs(on.x) - wide + ragged, 0.02, -0.02)
    mask = mask * ramp(on.y, -1.0, -0.9) * ramp(on.y + 0.3 * noise(rng, on, 0.1), 2.5, 2.0)
    color = _strands(person, rng, on.x * 14.0, on.y * 0.9)
    back.cover(color * (0.55 + 0.25 * ramp(np.abs(on.x), 0.9, 1.25))[..., None], mask)


def paint_hair(sheet: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    """Hair over the skull, down to the hairline."""
    style = person.hair_style
    bulk = {"short": 0.10, "parted": 0.17, "long": 0.20, "bun": 0.08, "bald": 0.0}[style]
    lowest = person.hairline + _DROP[style] + 0.5
    scalp = sheet.crop(-1.5, person.crown - 0.7, 1.5, lowest)
    on = scalp.on
    outline = _skull(person, on, bulk)
    ragged = noise(rng, on, 0.04) * 0.006 + noise(rng, on, 0.25) * 0.012
    tufts = 0.05 * _streaks(rng, on.x * 5.0, 0.25 * on.y)
    below = _hairline(person, on) - on.y
    mask = ramp(outline + ragged, 1.02, 0.985) * ramp(below + ragged + tufts, -0.05, 0.07)
    x, y = on.x - _parting(person), on.y - person.crown * 0.55
    angle = np.arctan2(x, -y)
    color = _strands(person, rng, angle * 11.0, np.hypot(x, y) * 1.1)
    # A band of shine where the skull faces the light, and shadow toward the rim.
    shine = np.exp(-0.5 * ((outline - 0.72 + 0.1 * np.cos(angle)) / 0.10) ** 2)
    lit = 0.78 + 0.45 * shine + 0.25 * person.light_x * on.x - 0.30 * ramp(outline, 0.8, 1.0)
    color *= lit[..., None]
    if style == "bald":
        # Stubble on the skull, which is there already.
        tint(scalp.image, color, 0.1 * mask)
        return
    covered = mask
    if style == "bun":
        bun = ramp(np.hypot(on.x / 0.42, (on.y - person.crown - bulk + 0.02) / 0.30), 1.03, 0.95)
        scalp.cover(0.85 * _strands(person, rng, on.x * 9.0 + on.y * 5.0, on.y), bun)
        covered = np.maximum(mask, bun)
    scalp.cover(color, mask)
    # The hair's shadow on the forehead.
    rim = np.exp(-0.5 * (np.minimum(below, 0.0) / 0.05) ** 2) * (1.0 - covered) * ramp(outline, 1.0, 0.95)
    scalp.image[:] *= (1.0 - 0.25 * rim)[..., None]


def paint_brows(forehead: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    """Both brows, thick at the nose and thin at the temples."""
    on = forehead.on
    for side in (-1.0, 1.0):
        along = (side * on.x - 0.17) / 0.62
        middle = person.brow_y + 0.03 - 0.09 * np.sin(np.clip(along, 0.0, 1.0) * 2.2) + 0.03 * along**2
        half = 0.5 * person.brow_thickness * (1.15 - 0.75 * np.clip(along, 0.0, 1.0) ** 1.5)
        ragged = noise(rng, on, 0.03) * 0.007
        inside = ramp(np.abs(on.y - middle) - half + ragged, 0.022, -0.016)
        inside = inside * ramp(along, -0.04, 0.08) * ramp(along, 1.02, 0.9)
        hairs = 0.82 + 0.18 * np.clip(_streaks(rng, side * on.x * 6.0 + on.y * 12.0, on.y * 3.0), -1.0, 1.0)
        tint(forehead.image, person.brows, np.clip(0.88 * inside * hairs, 0.0, 1.0))


def _skull(person: FaceIdentity, on: Canvas, bulk: float) -> Array:
    wide, up = person.half_width + 0.7 * bulk + 0.01, -person.crown + bulk
    tall = np.where(on.y < 0.0, up, 2.6)
    radius = ((np.abs(on.x) / wide) ** 2.2 + (np.abs(on.y) / tall) ** 2.2) ** (1.0 / 2.2)
    return np.asarray(radius, np.float32)


def _parting(person: FaceIdentity) -> float:
    side = -1.0 if person.seed % 2 else 1.0
    return {"parted": 0.42 * side, "long": 0.05 * side}.get(person.hair_style, 0.0)


def _hairline(person: FaceIdentity, on: Canvas) -> Array:
    """The y above which there is hair: low at the temples, and down the sides of the face."""
    across = np.abs(on.x - 0.2 * _parting(person)) / person.half_width
    top = person.hairline + 0.10 * across**2
    start = {"long": 0.74, "parted": 0.78}.get(person.hair_style, 0.82)
    sides = np.clip((across - start) / (1.02 - start), 0.0, 1.0)
    if person.hair_style == "parted":
        # A lock falls to the far side of the parting.
        side = np.sign(_parting(person))
        top = top + 0.22 * ramp(-side * on.x, -0.3, 0.9)
    line: Array = (top + _DROP[person.hair_style] * sides**0.8).astype(np.float32)
    return line


def _strands(person: FaceIdentity, rng: np.random.Generator, across: Array, along: Array) -> Array:
    """Hair color whose tone runs in strands: `across` counts them, `along` follows them."""
    streaks = _streaks(rng, across, along)
    # Strands of light hair differ less: their contrast would look like wire.
    contrast = 0.34 - 0.26 * float(np.mean(person.hair))
    color = np.array(person.hair, np.float32) * (1.0 + contrast * np.clip(streaks, -2.0, 2.0))[..., None]
    # Even black hair reflects some light.
    painted: Array = (color + 0.035 * np.clip(streaks + 0.6, 0.0, 2.0)[..., None]).astype(np.float32)
    return painted


def _streaks(rng: np.random.Generator, across: Array, along: Array) -> Array:
    """Noise of deviation about 1, drawn out along one coordinate."""
    import cv2

    grid = rng.standard_normal((64, 1024), dtype=np.float32)
    grid = cv2.GaussianBlur(grid, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    grid /= grid.std()
    u = (across * 9.0 + 512.0).astype(np.float32)
    v = (along * 6.0 + 32.0).astype(np.float32)
    streaks: Array = cv2.remap(grid, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return streaks
