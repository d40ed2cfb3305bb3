"""The painted head at rest: height, light and color of skin, with all that a motion estimate can hold on to.

Everything is painted on one flat texture. The shading is that of a relief: an egg with nose, brows, cheeks, lips and
chin, under one light; it moves with the head and is not computed anew for a moved face.
"""

from __future__ import annotations

import numpy as np

from affectkit.data.synthetic.body import paint_body, paint_ears
from affectkit.data.synthetic.hair import paint_brows, paint_hair, paint_hair_behind
from affectkit.data.synthetic.identity import Color, FaceIdentity
from affectkit.data.synthetic.openings import eye, mouth
from affectkit.data.synthetic.painting import (
    Array,
    Canvas,
    Sheet,
    bump,
    line,
    mirrored,
    noise,
    pair,
    ramp,
    shade,
    tint,
)

# Eyes, lips and nostrils differ little from person to person in hue.
_NOSTRIL: Color = (0.10, 0.045, 0.04)
# Exponent of the outline above the eyes.
_SKULL = 2.2


def paint_head(person: FaceIdentity, on: Canvas) -> Array:
    """The head with its neck and shoulders, `(H, W, 4)`: RGB in [0, 1] times opacity, and opacity."""
    rng = np.random.default_rng([person.seed, 0x5417])
    height, width = on.x.shape
    sheet = Sheet(
        np.zeros((height, width, 3), np.float32),
        np.zeros((height, width), np.float32),
        np.zeros((height, width, 3), np.float32),
        on,
    )
    side, deep = person.half_width, person.chin
    bust = sheet.crop(-side - 0.4, person.crown - 0.1, side + 0.4, deep + 1.0)
    bust.skin[:] = _skin_color(person, bust.on, rng)
    paint_hair_behind(sheet, person, rng)
    paint_body(sheet.crop(-9.0, 0.55, 9.0, 99.0), person, rng)
    paint_ears(sheet.crop(-side - 0.25, -0.3, side + 0.25, 0.7), person)
    face = sheet.crop(-side - 0.05, person.crown - 0.05, side + 0.05, deep + 0.05)
    face.cover(_paint_skin(face, person, rng), face_mask(person, face.on))
    paint_hair(sheet, person, rng)
    visible = sheet.opaque[..., None]
    painted: Array = np.concatenate([np.clip(sheet.image, 0.0, 1.0) * visible, visible], axis=-1)
    return painted


def face_radius(person: FaceIdentity, on: Canvas) -> Array:
    """0 in the middle of the face to 1 on its outline: an egg, squarer at the jaw."""
    wide, y = np.abs(on.x[0]) / person.half_width, on.y[:, 0]
    radius = np.empty(on.x.shape, np.float32)
    for half, tall, power in ((y > 0.0, person.chin, person.jaw), (y <= 0.0, -person.crown, _SKULL)):
        radius[half] = (wide**power + (np.abs(y[half]) / tall)[:, None] ** power) ** np.float32(1.0 / power)
    return radius


def face_mask(person: FaceIdentity, on: Canvas) -> Array:
    """1 on the face and the skull."""
    return ramp(face_radius(person, on), 1.008, 0.992)


def _skin_color(person: FaceIdentity, on: Canvas, rng: np.random.Generator) -> Array:
    """Color of bare skin everywhere, before light: blotches, pores and freckles."""
    skin = np.empty((*on.x.shape, 3), np.float32)
    skin[:] = person.skin
    blotches = noise(rng, on, 0.35) * 0.018 + noise(rng, on, 0.12) * 0.022
    # The finest ones are a pixel or two across in a video with 50 pixels between the eyes.
    pores = noise(rng, on, 0.055) * 0.030 + noise(rng, on, 0.03) * 0.024
    skin *= (1.0 + blotches + pores)[..., None]
    skin[..., 0] *= 1.0 + 0.02 * noise(rng, on, 0.25)
    spots = ramp(noise(rng, on, 0.045), 2.0, 2.9) * person.freckles
    moles = ramp(noise(rng, on, 0.06), 3.7, 3.9)
    tint(skin, np.array(person.skin, np.float32) * np.array([0.62, 0.50, 0.42], np.float32), 0.55 * spots)
    tint(skin, np.array(person.skin, np.float32) * 0.35, 0.8 * moles)
    return skin


def _relief(person: FaceIdentity, on: Canvas) -> Array:
    """Height of the face toward the viewer."""
    radius = np.minimum(face_radius(person, on), np.float32(0.995))
    nose, lip, chin = person.nose_y, person.mouth_y, person.chin
    height = 1.05 * np.sqrt(1.0 - radius**2.6)
    # Ridge of the nose, which rises and widens down to the tip.
    down = ramp(on.y, -0.15, nose - 0.10) * ramp(on.y, nose + 0.10, nose - 0.06)
    width = 0.075 + 0.05 * np.clip(on.y / nose, 0.0, 1.0)
    height += (
        0.25
        * (0.25 + 0.75 * down)
        * np.exp(-0.5 * (on.x / width) ** 2)
        * ramp(on.y, -0.35, 0.05)
        * (ramp(on.y, nose + 0.10, nose - 0.08))
    )
    height += 0.14 * bump(on, 0.0, nose - 0.10, 0.11, 0.09)
    height += 0.10 * pair(on, person.nose_width * 0.72, nose - 0.05, 0.06, 0.065)
    height -= 0.15 * pair(on, 0.46, -0.03, 0.22, 0.14)
    height += 0.06 * pair(on, 0.5, 0.02, 0.18, 0.11)
    height += 0.09 * pair(on, 0.42, person.brow_y + 0.03, 0.24, 0.09)
    height += 0.10 * pair(on, 0.66, 0.46, 0.24, 0.2)
    height += 0.10 * bump(on, 0.0, lip - 0.02, 0.36, 0.26)
    height += 0.045 * bump(on, 0.0, lip - person.upper_lip * 0.55, 0.24, 0.04)
    height += 0.06 * bump(on, 0.0, lip + person.lower_lip * 0.55, 0.20, 0.045)
    height -= 0.06 * bump(on, 0.0, lip + person.lower_lip + 0.10, 0.2, 0.06)
    height -= 0.02 * bump(on, 0.0, (nose + lip) / 2, 0.035, 0.09)
    height += 0.10 * bump(on, 0.0, chin - 0.24, 0.22, 0.15)
    fold = ((person.nose_width + 0.02, nose - 0.08), (0.40, lip - 0.20), (person.mouth_width + 0.09, lip + 0.05))
    depth = 0.012 + 0.02 * person.age
    height -= depth * (line(on, fold, 0.03) + line(on, mirrored(fold), 0.03))
    relief: Array = height.astype(np.float32)
    return relief


def _paint_skin(face: Sheet, person: FaceIdentity, rng: np.random.Generator) -> Array:
    """The face in light, with lips, brows, lids and lines."""
    image, on = face.skin.copy(), face.on
    parts = face._replace(image=image)
    nose, lip = person.nose_y, person.mouth_y
    red = 0.5 * pair(on, 0.62, 0.52, 0.26, 0.2) + 0.5 * bump(on, 0.0, nose - 0.1, 0.16, 0.12)
    image *= 1.0 + 0.12 * red[..., None] * np.array([0.5, -0.6, -0.5], np.float32)
    if person.beard:
        _paint_beard(parts.crop(-2.0, 0.4, 2.0, 9.0), person, rng)
    _paint_lips(parts.crop(-0.65, lip - 0.25, 0.65, lip + 0.3), person, rng)
    paint_brows(parts.crop(-1.0, person.brow_y - 0.3, 1.0, person.brow_y + 0.3), person, rng)
    light = (1.1 * person.light_x, 1.1 * person.light_y, 1.0)
    diffuse, shine = shade(_relief(person, on), on.scale, light, 0.62)
    image *= (0.30 + 0.86 * diffuse)[..., None]
    image += (0.10 * shine * ramp(on.y, 1.3, 0.9))[..., None]
    _paint_creases(image, person, on, rng)
    # Toward the outline a head turns away from the viewer, and gets darker.
    edge = ramp(face_radius(person, on), 0.72, 1.0)
    image *= (1.0 - 0.28 * edge * edge)[..., None]
    return image


def _paint_beard(jaw: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    on, lip = jaw.on, person.mouth_y
    area = ramp(on.y, 0.45, 1.05) * ramp(face_radius(person, on), 0.35, 0.62)
    area = np.maximum(area, 0.9 * bump(on, 0.0, lip - 0.19, 0.26, 0.07))
    area = np.maximum(area, 0.9 * bump(on, 0.0, lip + 0.34, 0.26, 0.16))
    area *= 1.0 - ramp(np.abs(on.y - lip) / 0.16 + np.abs(on.x) / 0.6, 1.1, 0.8)
    stubble = 0.55 + 0.45 * np.clip(noise(rng, on, 0.022), -1.5, 1.5)
    tint(jaw.image, _darker(person.hair, 0.8), 0.42 * person.beard * np.clip(area * stubble, 0.0, 1.0))


def _paint_lips(around: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    image, on, opening = around.image, around.on, mouth(person)
    middle = opening.curves(on.x)
    across = np.clip(np.abs(on.x) / person.mouth_width, 0.0, 1.0)
    # The upper lip has a bow: lower in the middle than beside it.
    bow = 1.0 - 0.22 * np.exp(-0.5 * (on.x / 0.045) ** 2)
    top = middle.upper - person.upper_lip * bow * (1.0 - across**2.4)
    bottom = middle.lower + person.lower_lip * (1.0 - across**2.2)
    soft = 0.016
    inside = ramp(on.y - top, -soft, soft) * ramp(bottom - on.y, -soft, soft) * ramp(across, 1.0, 0.93)
    furrows = 1.0 + 0.05 * noise(rng, on, 0.035)
    tint(image, np.array(person.lips, np.float32) * furrows[..., None], 0.85 * inside)
    # The upper lip faces down.
    image *= (1.0 - 0.22 * inside * ramp(on.y - middle.upper, 0.02, -0.05))[..., None]
    slit = np.exp(-0.5 * ((on.y - middle.upper) / 0.013) ** 2) * ramp(np.abs(on.x) / person.mouth_width, 1.04, 0.9)
    tint(image, (0.16, 0.06, 0.06), 0.78 * slit)
    corners = pair(on, person.mouth_width * 0.99, opening.y, 0.03, 0.025)
    image *= (1.0 - 0.35 * np.clip(corners, 0.0, 1.0))[..., None]


def _paint_creases(image: Array, person: FaceIdentity, on: Canvas, rng: np.random.Generator) -> None:
    """Dark places that no relief of this resolution has: nostrils, lids, folds, lines of the forehead."""
    nose, lip = person.nose_y, person.mouth_y
    dark = np.zeros(on.x.shape, np.float32)
    dark += 0.75 * np.clip(pair(on, 0.085, nose + 0.012, 0.038, 0.02), 0.0, 1.0)
    wing = ((person.nose_width + 0.005, nose - 0.15), (person.nose_width + 0.025, nose - 0.06), (0.16, nose + 0.03))
    dark += 0.32 * (line(on, wing, 0.018) + line(on, mirrored(wing), 0.018))
    dark += 0.26 * bump(on, 0.0, nose + 0.035, 0.11, 0.028)
    fold = ((person.nose_width + 0.05, nose - 0.06), (0.38, lip - 0.20), (person.mouth_width + 0.08, lip + 0.02))
    dark += (0.05 + 0.18 * person.age) * (line(on, fold, 0.022) + line(on, mirrored(fold), 0.022))
    dark += 0.10 * bump(on, 0.0, lip + person.lower_lip + 0.055, 0.17, 0.03)
    for side in (-1.0, 1.0):
        _add_lid_lines(dark, person, on, side)
    for number in range(3):
        y = person.hairline * 0.82 + 0.13 * number
        wave = 0.012 * float(rng.normal())
        wrinkle = ((-0.6, y + 0.04), (-0.25, y - wave), (0.0, y + 0.015), (0.25, y + wave), (0.6, y + 0.04))
        dark += (0.02 + 0.15 * person.age) * line(on, wrinkle, 0.014)
    frown = ((0.075, person.brow_y + 0.08), (0.085, person.brow_y - 0.08))[::-1]
    dark += (0.03 + 0.15 * person.age) * (line(on, frown, 0.013) + line(on, mirrored(frown), 0.013))
    dark += (0.04 + 0.16 * person.age) * pair(on, 0.46, 0.2, 0.17, 0.03)
    dark += 0.22 * pair(on, 0.24, 0.02, 0.07, 0.10) + 0.10 * pair(on, 0.5, -0.14, 0.2, 0.05)
    tint(
        image, np.array(_NOSTRIL, np.float32) * 0.5 + 0.15 * np.array(person.skin, np.float32), np.clip(dark, 0.0, 0.9)
    )


def _add_lid_lines(dark: Array, person: FaceIdentity, on: Canvas, side: float) -> None:
    """Crease over the upper lid, bag under the lower one, lines beside the eye; added in place."""
    opening = eye(person, side)
    top, bottom, share = opening.curves(on.x[:1])
    inside = ramp(share, 0.0, 0.25)
    dark += 0.30 * np.exp(-0.5 * ((on.y - (top - 0.055)) / 0.014) ** 2) * inside
    dark += (0.06 + 0.08 * person.age) * np.exp(-0.5 * ((on.y - (bottom + 0.07)) / 0.02) ** 2) * inside
    for turn in (-0.09, 0.0, 0.09):
        start = (side * (0.5 + person.eye_width + 0.06), 0.6 * turn)
        end = (side * (0.5 + person.eye_width + 0.24), 2.0 * turn)
        dark += (0.02 + 0.16 * person.age) * line(on, (start, end) if side > 0 else (end, start), 0.011)


def _darker(color: Color, share: float) -> Color:
    red, green, blue = color
    return red * share, green * share, blue * share
