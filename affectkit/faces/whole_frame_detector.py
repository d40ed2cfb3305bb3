"""Detector of `whole-frame`."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from affectkit.faces.pictures import check_picture
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.interfaces import FaceDetector
from affectkit.records import Face

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
class WholeFrame(FaceDetector[WholeFrameConfig]):
    """One face per picture: its whole area, score 1."""

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """One face with the box `(0, 0, W, H)`.

        Raises:
            InputError: the picture is not `(H, W, 3)`, has no pixel, or is not `uint8`.
        """
        check_picture(image)
        height, width = image.shape[:2]
        return [Face(box=(0.0, 0.0, float(width), float(height)), score=1.0)]
