"""Detector of `aligned`."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from affectkit.faces.aligned import AlignedConfig
from affectkit.faces.pictures import check_picture
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.video.alignment import TEMPLATES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
class Aligned(FaceDetector[AlignedConfig]):
    """One face per picture: its whole area, the points of the template, score 1."""

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """One face with the box `(0, 0, W, H)` and five landmarks: eyes, nose, corners of the mouth.

        Raises:
            InputError: the picture is not `(H, W, 3)`, has no pixel, or is not `uint8`.
        """
        check_picture(image)
        height, width = image.shape[:2]
        side = min(height, width)
        corner = complex(width - side, height - side) / 2
        points = (point * side + corner for point in TEMPLATES[self.config.template].points)
        landmarks = tuple((point.real, point.imag) for point in points)
        return [Face(box=(0.0, 0.0, float(width), float(height)), landmarks=landmarks, score=1.0)]
