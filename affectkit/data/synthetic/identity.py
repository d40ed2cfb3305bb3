"""Who a synthetic person is: proportions, skin, hair, eyes and light, drawn from a seed.

Lengths are in units of the distance between the pupils. The origin lies midway between them, x to the right, y down, as
seen in the image. Seeds below 5000 are people to train on, from there below 10000 people to choose settings with, and
those from 10000 are for reports only: every seed is another person, so the three groups share nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from affectkit.errors import InputError

Split = Literal["train", "choice", "report"]
HairStyle = Literal["short", "parted", "long", "bun", "bald"]
Color = tuple[float, float, float]

SPLITS: dict[Split, range] = {"train": range(5000), "choice": range(5000, 10000), "report": range(10000, 2**31)}

_STYLES: tuple[HairStyle, ...] = ("short", "parted", "long", "bun", "bald")
_STYLE_SHARES = (0.3, 0.24, 0.24, 0.14, 0.08)
# From dark to light; a person's skin lies between two neighbors.
_SKINS = ((0.36, 0.23, 0.17), (0.52, 0.34, 0.25), (0.68, 0.47, 0.35), (0.80, 0.60, 0.47), (0.90, 0.72, 0.61))
_HAIRS = ((0.07, 0.05, 0.05), (0.16, 0.10, 0.07), (0.29, 0.18, 0.11), (0.45, 0.24, 0.12), (0.62, 0.47, 0.28))
_GRAY_HAIR = (0.58, 0.57, 0.56)
_EYES = ((0.20, 0.11, 0.06), (0.34, 0.21, 0.10), (0.38, 0.40, 0.24), (0.33, 0.47, 0.56), (0.42, 0.50, 0.50))


@dataclass(frozen=True, kw_only=True)
class FaceIdentity:
    """A synthetic person. Lengths in distances between the pupils, colors as RGB in [0, 1].

    Attributes:
        seed: where everything below came from; the texture of the skin is drawn from it too.
        half_width: of the face at the eyes.
        chin: y of the chin's lowest point.
        crown: y of the top of the skull, negative.
        jaw: exponent of the lower outline; 2 is an oval, more is squarer.
        hairline: y of the middle of the hairline, negative.
        eye_width: half of an eye's width.
        eye_height: of the opening at rest.
        eye_tilt: how much higher the outer corner is than the inner one.
        brow_y: y of the brows, negative.
        brow_thickness: of the brows.
        nose_y: y of the base of the nose.
        nose_width: half of the width over the nostrils.
        mouth_y: y of the line between the lips.
        mouth_width: half of the width of the mouth.
        upper_lip: height of the upper lip.
        lower_lip: height of the lower lip.
        skin: color of the skin.
        lips: color of the lips.
        hair: color of the hair.
        brows: color of the brows.
        eyes: color of the iris.
        shirt: color of what the shoulders wear.
        background: color behind.
        hair_style: cut of the hair.
        age: 0 young to 1 old: depth of the lines.
        freckles: 0 none to 1 many.
        beard: 0 shaved to 1 a dark shadow.
        light_x: where the light comes from, -1 left to 1 right.
        light_y: -1 above to 1 below.
        asymmetry: of every action unit's two sides, a share of its size.
    """

    seed: int
    half_width: float
    chin: float
    crown: float
    jaw: float
    hairline: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_y: float
    brow_thickness: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    skin: Color
    lips: Color
    hair: Color
    brows: Color
    eyes: Color
    shirt: Color
    background: Color
    hair_style: HairStyle
    age: float
    freckles: float
    beard: float
    light_x: float
    light_y: float
    asymmetry: float

    @classmethod
    def from_seed(cls, seed: int) -> FaceIdentity:
        """The person of a seed, always the same.

        Raises:
            InputError: `seed` is negative or 2**31 and more.
        """
        split_of(seed)
        rng = np.random.default_rng([seed, 0xFACE])

        def around(middle: float, spread: float) -> float:
            return float(middle + spread * np.clip(rng.normal(), -2.0, 2.0))

        def between(low: float, high: float) -> float:
            return float(rng.uniform(low, high))

        skin = _blend(_SKINS, between(0.0, len(_SKINS) - 1.0))
        age = between(0.0, 1.0) ** 1.5
        # Gray comes with age, and most dark skins come with dark hair.
        hair = (
            _GRAY_HAIR if rng.random() < 0.5 * age else _blend(_HAIRS, between(0.0, 1.0 + 3.0 * float(skin[0] > 0.7)))
        )
        darker = between(0.5, 0.85)
        masculine = rng.random() < 0.5
        style = str(rng.choice(_STYLES, p=_STYLE_SHARES))
        if not masculine and style == "bald":
            style = "long"
        wall = between(0.45, 0.8)
        redness = between(0.0, 1.0) if not masculine else between(0.0, 0.35)
        return cls(
            seed=seed,
            half_width=around(1.07, 0.035),
            chin=around(1.78, 0.05),
            crown=around(-1.72, 0.05),
            jaw=around(2.35 if masculine else 2.15, 0.1),
            hairline=around(-1.0, 0.06),
            eye_width=around(0.25, 0.01),
            eye_height=around(0.165, 0.015),
            eye_tilt=around(0.02, 0.015),
            brow_y=around(-0.37 if not masculine else -0.34, 0.02),
            brow_thickness=around(0.085 if masculine else 0.06, 0.012),
            nose_y=around(0.70, 0.03),
            nose_width=around(0.25 if masculine else 0.225, 0.018),
            mouth_y=around(1.08, 0.03),
            mouth_width=around(0.41, 0.025),
            upper_lip=around(0.085, 0.015),
            lower_lip=around(0.115, 0.018),
            skin=skin,
            lips=_mix(_mix(skin, (0.70, 0.28, 0.28), 0.42), (0.75, 0.13, 0.18), 0.35 * redness),
            hair=hair,
            brows=_mix((0.05, 0.04, 0.04), hair, darker),
            eyes=_blend(_EYES, between(0.0, 1.2 if skin[0] < 0.7 else len(_EYES) - 1.0)),
            shirt=(between(0.08, 0.75), between(0.08, 0.75), between(0.1, 0.8)),
            background=(wall + between(-0.06, 0.06), wall + between(-0.04, 0.04), wall + between(-0.06, 0.08)),
            hair_style=_style(style),
            age=age,
            freckles=between(0.0, 1.0) ** 2,
            beard=between(0.15, 1.0) if masculine else 0.0,
            light_x=between(-0.6, 0.6),
            light_y=between(-0.75, -0.35),
            asymmetry=between(-0.12, 0.12),
        )


def split_of(seed: int) -> Split:
    """Which group of people a seed belongs to.

    Raises:
        InputError: `seed` is negative or 2**31 and more.
    """
    for split, seeds in SPLITS.items():
        if seed in seeds:
            return split
    raise InputError(f"seed: {seed!r} is not accepted; give a whole number from 0 to {2**31 - 1}")


def _style(name: str) -> HairStyle:
    return next(style for style in _STYLES if style == name)


def _mix(a: Color, b: Color, share: float) -> Color:
    """`a` with a share of `b`."""
    red, green, blue = (float(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def _blend(colors: tuple[Color, ...], position: float) -> Color:
    """The color at a position along a row of colors."""
    low = min(int(position), len(colors) - 2)
    return _mix(colors[low], colors[low + 1], position - low)
