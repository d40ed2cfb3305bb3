"""Detector of `haar`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import cv2
import numpy as np

from affectkit.errors import MissingDependencyError
from affectkit.faces.haar import HaarConfig
from affectkit.faces.pictures import check_picture, largest_first, shrink
from affectkit.interfaces import FaceDetector
from affectkit.records import Face

if TYPE_CHECKING:
    from numpy.typing import NDArray

CASCADE = "haarcascade_frontalface_default.xml"
# of the cascade, and the side of its smallest window
_STAGES, _WINDOW = 25, 24
_WEIGHT = 4.0


@final
class Haar(FaceDetector[HaarConfig]):
    """Boxes and scores, without landmarks. A cascade keeps what it works on, so it serves one thread at a time.

    Raises:
        MissingDependencyError: this OpenCV comes without the cascade, as OpenCV 5 does.
    """

    def __init__(self, config: HaarConfig) -> None:
        super().__init__(config)
        # looked up by name: in OpenCV 5 any of the three may be absent
        path = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / CASCADE
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise MissingDependencyError(
                f"haar: needs OpenCV's {CASCADE!r}, which OpenCV {cv2.__version__} does not have; "
                "run pip install 'opencv-contrib-python-headless<5'"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Frontal faces of an RGB picture `(H, W, 3)`, largest first, in its pixels.

        Raises:
            InputError: the picture is not `(H, W, 3)`, has no pixel, or is not `uint8`.
        """
        check_picture(image)
        # OpenCV reads no array that runs backwards in memory, as a flipped picture does
        gray: Any = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        gray, x_scale, y_scale = shrink(gray, self.config.max_side)
        boxes, stages, weights = self._cascade.detectMultiScale3(
            gray,
            scaleFactor=self.config.scale_factor,
            minNeighbors=self.config.min_neighbors,
            minSize=(_WINDOW, _WINDOW),
            outputRejectLevels=True,
        )
        faces = []
        for (left, top, width, height), stage, weight in zip(boxes, stages, weights, strict=True):
            score = to_score(float(weight))
            # with weights asked for, OpenCV also gives what failed in the last three stages
            if stage >= _STAGES and score >= self.config.score_threshold:
                box = (left * x_scale, top * y_scale, width * x_scale, height * y_scale)
                faces.append(Face(box=tuple(float(number) for number in box), score=score))  # type: ignore[arg-type]
        return largest_first(faces, image)


def to_score(weight: float) -> float:
    """`1 - exp(-w / 4)`, and 0 for a weight below 0."""
    return 1 - math.exp(-max(weight, 0.0) / _WEIGHT)
