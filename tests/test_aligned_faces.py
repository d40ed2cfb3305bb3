"""Face detector `aligned`: what was aligned before comes out as it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import ConfigError, InputError
from affectkit.faces.aligned import SPEC, AlignedConfig
from affectkit.faces.aligned_detector import Aligned
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.faces.whole_frame_detector import WholeFrame
from affectkit.records import Face
from affectkit.streams import FrameStream
from affectkit.video.alignment import TEMPLATES
from affectkit.video.cutter import Cutter
from affectkit.video.reader import VideoFrame
from affectkit.video.tracking import TrackedFace


def picture(height: int = 112, width: int = 112) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(size=(height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    image: NDArray[np.uint8] = np.clip(127 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    return image


def cut(image: NDArray[np.uint8], face: Face, side: int, template: str) -> NDArray[np.float32]:
    """`(side, side, 3)`, as an input with that template gets it."""
    stream = FrameStream(height=side, width=side, alignment=template)
    found = Cutter({"clip": stream}).cut(VideoFrame(index=0, pts=0.0, image=image), TrackedFace(track=0, face=face))
    return found.inputs["clip"].transpose(1, 2, 0)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize(("height", "width"), [(112, 112), (112, 140), (96, 80)])
def test_its_own_template_gets_the_middle_as_it_is(template: str, height: int, width: int) -> None:
    image, side = picture(height, width), min(height, width)
    (face,) = Aligned(AlignedConfig(template=template)).detect(image)  # type: ignore[arg-type]
    assert face.box == (0.0, 0.0, width, height)
    crop = cut(image, face, side, template)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[top : top + side, left : left + side].astype(np.float32) / 255
    np.testing.assert_allclose(crop, middle, atol=1e-5)
    (whole,) = WholeFrame(WholeFrameConfig()).detect(image)
    moved = cut(image, whole, side, template)
    assert np.abs(moved - middle).max() > 0.1


def test_another_template_gets_it_moved() -> None:
    large = picture(400, 400)
    (face,) = Aligned(AlignedConfig(template="steady")).detect(large)
    crop = cut(large, face, 112, "arcface")
    placed = TEMPLATES["arcface"].similarity(face)
    # the middle of the eyes, by the arithmetic of both templates
    eyes = sum(TEMPLATES["steady"].points[:2]) * 400 / 2
    found = 112 * placed(eyes)
    value = crop[round(found.imag), round(found.real)]
    np.testing.assert_allclose(value, large[round(eyes.imag), round(eyes.real)] / 255, atol=0.05)


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        AlignedConfig(template="arc")  # type: ignore[arg-type]
    values = "'arcface', 'dlib', 'steady'"
    assert str(caught.value) == (
        f"template: 'arc' is not accepted; did you mean 'arcface'? values: {values} (AlignedConfig)"
    )


def test_what_is_no_rgb_picture_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        SPEC.factory(SPEC.example_config()).detect(np.zeros((48, 64), dtype=np.uint8))
    assert str(caught.value) == "image: shape (48, 64); give (H, W, 3), RGB"
