"""Face detector `haar`: OpenCV's cascade for frontal faces, for machines without the weights of a network."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import ConfigError
from affectkit.faces.pictures import check_count, check_share
from affectkit.specs import FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class HaarConfig(FaceDetectorConfig):
    """Upright faces that look at the camera; no landmarks. It misses turned heads, and takes other things for faces.

    The score is `1 - exp(-w / 4)`, where w is how far the face passed the cascade's last stage: 0 for w up to 0, and on
    photos 0.7 to 0.95 for most faces. Of several windows on one face, the largest w counts.

    Attributes:
        score_threshold: faces with a lower score are left out, in [0, 1].
        scale_factor: how much larger each window is than the one before it; nearer to 1 finds more, and takes longer.
        min_neighbors: how many windows have to agree on a face.
        max_side: pictures are shrunk for detection until their longest side has at most this many pixels; faces that
            are then narrower than 24 pixels, the cascade's window, are not found. None looks at every picture as it is.
    """

    score_threshold: float = 0.5
    scale_factor: float = 1.1
    min_neighbors: int = 5
    max_side: int | None = 400

    def validate(self) -> None:
        check_share(self.score_threshold, "score_threshold")
        if not 1 < self.scale_factor <= 2:
            raise ConfigError(f"{self.scale_factor!r} is no step", "write more than 1, up to 2", path="scale_factor")
        check_count(self.min_neighbors, "min_neighbors", 1, "windows")
        check_count(self.max_side, "max_side", 32, "pixels")


SPEC = FaceDetectorSpec(
    name="haar",
    config=HaarConfig,
    factory=lazy("affectkit.faces.haar_detector:Haar"),
    summary="OpenCV's Haar cascade: boxes of frontal faces, without a download.",
    citation="Lienhart and Maydt: An Extended Set of Haar-like Features for Rapid Object Detection. ICIP 2002.",
)
