"""Face detector `whole-frame`."""

from __future__ import annotations

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.faces.whole_frame import SPEC, WholeFrameConfig
from affectkit.faces.whole_frame_detector import WholeFrame
from affectkit.records import Face


def test_one_face_fills_the_picture() -> None:
    detector = WholeFrame(WholeFrameConfig())
    image = np.zeros((48, 64, 3), dtype=np.uint8)
    assert detector.detect(image) == [Face(box=(0.0, 0.0, 64.0, 48.0), landmarks=(), score=1.0)]
    assert not image.any()


@pytest.mark.parametrize("shape", [(48, 64), (3, 48, 64), (48, 64, 4), (0, 64, 3)])
def test_what_is_no_rgb_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        WholeFrame(WholeFrameConfig()).detect(np.zeros(shape, dtype=np.uint8))
    assert str(caught.value) == f"image: shape {shape}; give (H, W, 3), RGB"


def test_the_spec_makes_it() -> None:
    assert isinstance(SPEC.factory(SPEC.example_config()), WholeFrame)
