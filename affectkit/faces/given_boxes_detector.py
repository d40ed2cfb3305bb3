"""Detector of `given-boxes`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, final

from affectkit.errors import InputError
from affectkit.faces.box_table import read_boxes
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.faces.pictures import check_picture, largest_first, touches
from affectkit.interfaces import FaceDetector
from affectkit.records import Face

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@final
class GivenBoxes(FaceDetector[GivenBoxesConfig]):
    """The boxes of the config, or of its table, by frame number.

    Raises:
        InputError: the table can't be read; the message names file and line.
    """

    def __init__(self, config: GivenBoxesConfig) -> None:
        super().__init__(config)
        self._boxes = None if config.path is None else read_boxes(Path(config.path))

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """The one box.

        Raises:
            InputError: boxes are given frame by frame; or as `detect_at`.
        """
        if self._boxes is not None:
            raise InputError(f"{self.config.path}: has boxes by frame number; call detect_at(image, frame, pts)")
        return self.detect_at(image, 0, 0.0)

    def detect_at(self, image: NDArray[np.uint8], frame: int, pts: float) -> list[Face]:
        """Boxes of the frame, largest first; empty where none is given.

        Raises:
            InputError: a box has no pixel of the picture, as one in other units; or the picture is not `(H, W, 3)`,
                has no pixel, or is not `uint8`.
        """
        check_picture(image)
        if self._boxes is not None:
            faces = self._boxes.get(frame, [])
        else:
            faces = [] if self.config.box is None else [Face(box=self.config.box)]
        for face in faces:
            if not touches(face.box, image):
                rows, columns = image.shape[:2]
                raise InputError(
                    f"frame {frame}: the given box {face.box!r} has no pixel of the {columns}x{rows} picture; "
                    "give left, top, width and height in pixels"
                )
        return largest_first(faces, image)
