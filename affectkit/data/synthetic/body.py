"""What holds the face: ears, neck, and shoulders in a shirt."""

from __future__ import annotations

import numpy as np

from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.data.synthetic.painting import Sheet, noise, ramp


def paint_ears(strip: Sheet, person: FaceIdentity) -> None:
    """Both ears, as far as the face does not cover them."""
    on = strip.on
    x = person.half_width + 0.03
    round_ = ((np.abs(on.x) - x) / 0.15) ** 2 + ((on.y - 0.22 - 0.25 * (np.abs(on.x) - x)) / 0.34) ** 2
    mask = ramp(np.sqrt(round_), 1.05, 0.97)
    ear = strip.skin * np.array([0.92, 0.80, 0.78], np.float32)
    shell = np.exp(-0.5 * ((np.sqrt(round_) - 0.72) / 0.12) ** 2)
    ear *= (0.66 + 0.22 * shell)[..., None]
    lit = 1.0 + 0.25 * person.light_x * np.sign(on.x)
    strip.cover(ear * lit[..., None], mask)


def paint_body(below: Sheet, person: FaceIdentity, rng: np.random.Generator) -> None:
    """Neck and shoulders."""
    on, chin = below.on, person.chin
    half = 0.62 * person.half_width + 0.35 * np.clip((on.y - chin - 0.15) / 0.6, 0.0, 1.0) ** 2
    neck = ramp(np.abs(on.x) - half, 0.015, -0.015) * ramp(on.y, 0.6, 0.7)
    # The jaw's shadow on the neck, and the neck's own roundness.
    shadow = ramp(on.y - chin * np.sqrt(np.clip(1.0 - (on.x / 1.05) ** 2, 0.0, 1.0)), 0.55, -0.02)
    across = on.x / np.maximum(half, 0.1)
    tone = (0.80 - 0.42 * shadow) * (1.0 - 0.30 * across**2 + 0.2 * person.light_x * across)
    cords = 1.0 - 0.06 * (np.exp(-0.5 * ((np.abs(on.x) - 0.28 + 0.12 * (on.y - chin)) / 0.05) ** 2))
    below.cover(below.skin * (tone * cords)[..., None], neck)
    collar = chin + 0.42 + 0.30 * np.exp(-0.5 * (on.x / 0.42) ** 2)
    slope = chin + 0.30 + 0.22 * np.maximum(np.abs(on.x) - 0.5, 0.0)
    # Rounded off at the arms.
    slope = slope + 1.2 * np.maximum(np.abs(on.x) - 2.6, 0.0) ** 2
    cloth = ramp(on.y - np.maximum(collar, slope), -0.01, 0.015)
    cloth = cloth * ramp(np.abs(on.x) - 0.04 * on.y, 3.45, 3.40)
    weave = 1.0 + 0.03 * noise(rng, on, 0.03) + 0.07 * noise(rng, on, 0.5)
    folds = 0.85 + 0.15 * person.light_x * on.x / 1.5 - 0.10 * np.abs(on.x) / 2.0
    seam = 1.0 - 0.25 * np.exp(-0.5 * ((on.y - collar - 0.05) / 0.02) ** 2)
    shirt = np.array(person.shirt, np.float32) * (weave * folds * seam)[..., None]
    below.cover(shirt, cloth)
