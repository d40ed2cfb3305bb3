"""Pictures and checks that the tests of face detectors share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.interfaces import FaceDetector


def photo(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """An RGB picture; `size` is width and height."""
    image = cv2.imread(str(path))
    assert image is not None
    if size is not None:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[..., ::-1])


def box_center(box: tuple[float, float, float, float]) -> tuple[float, float]:
    left, top, width, height = box
    return left + width / 2, top + height / 2


def check_refusals(detector: FaceDetector[Any]) -> None:
    """What is no picture gets the same words from every detector."""
    for shape in ((48, 64), (3, 48, 64), (48, 64, 4), (0, 64, 3)):
        with pytest.raises(InputError) as caught:
            detector.detect(np.zeros(shape, dtype=np.uint8))
        assert str(caught.value) == f"image: shape {shape}; give (H, W, 3), RGB"
    with pytest.raises(InputError) as caught:
        detector.detect(np.zeros((48, 64, 3), dtype=np.float32))
    assert str(caught.value) == "image: dtype float32; give uint8, 0 to 255"
