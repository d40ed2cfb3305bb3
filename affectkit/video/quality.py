"""Which faces are too uncertain or too small to be counted on. Their rows stay, and say so."""

from __future__ import annotations

from affectkit.configs import Tracking
from affectkit.records import Face
from affectkit.results.rows import Status


def face_status(face: Face, config: Tracking) -> Status:
    """`low_confidence` for a score below `min_confidence` or a shorter side below `min_size` pixels, else `ok`."""
    is_sure = face.score >= config.min_confidence and min(face.box[2:]) >= config.min_size
    return "ok" if is_sure else "low_confidence"
