"""Inputs and outputs in the metadata of a file: what another program needs to fill the ones and to read the others."""

from __future__ import annotations

import dataclasses
from typing import Any

from affectkit.streams import FrameStream
from affectkit.video.alignment import TEMPLATES

# In the order of a template's points; left and right as one sees the picture.
_POINTS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


def described(stream: Any) -> dict[str, Any]:
    """A stream's fields as JSON holds them, what it is, and where the five points of an aligned face come to lie."""
    found = {"kind": getattr(stream, "tag", "predictions"), **dataclasses.asdict(stream)}
    if isinstance(stream, FrameStream) and stream.alignment in TEMPLATES:
        template = TEMPLATES[stream.alignment]
        # the largest square in the middle, as the cutter lays it
        side = min(stream.height, stream.width)
        corner = complex(stream.width - side, stream.height - side) / 2
        points = [point * side + corner for point in template.points]
        found["template"] = {
            "fit": "least squares" if template.is_fitted else "level eyes and mouth",
            "points": {name: [point.real, point.imag] for name, point in zip(_POINTS, points, strict=True)},
        }
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
