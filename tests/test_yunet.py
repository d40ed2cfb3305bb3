"""Face detector `yunet`: what OpenCV's own reader of the network finds, and what a config may say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import ConfigError, WeightsError
from affectkit.faces.yunet import SPEC, WEIGHTS, YuNetConfig
from affectkit.records import Face
from tests.faces import box_center, check_refusals, photo

# left, top, width and height of the five faces, from the picture itself
PEOPLE = ((212, 61, 91, 115), (315, 234, 95, 129), (439, 215, 77, 96), (531, 305, 94, 131), (686, 292, 101, 132))


@pytest.fixture
def media(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    return shared / "media"


def build(**fields: Any) -> Any:
    return SPEC.factory(YuNetConfig(**fields))


def as_rows(faces: list[Face]) -> NDArray[np.float64]:
    """Box, landmarks and score of each face: the fifteen numbers of OpenCV's rows."""
    return np.array([[*face.box, *np.ravel(face.landmarks), face.score] for face in faces]).reshape(-1, 15)


def opencv_rows(image: NDArray[np.uint8], weights: Path) -> NDArray[np.float64]:
    height, width = image.shape[:2]
    detector = cv2.FaceDetectorYN.create(str(weights), "", (width, height), 0.6, 0.3, 5000)
    rows = detector.detect(np.ascontiguousarray(image[..., ::-1]))[1]
    return np.zeros((0, 15)) if rows is None else rows[np.argsort(-rows[:, 2] * rows[:, 3])]


@pytest.mark.parametrize("size", [None, (640, 480), (640, 360), (321, 243), (97, 61)])
@pytest.mark.parametrize("name", ["single_face.jpg", "multi_face.jpg"])
def test_agrees_with_opencv(media: Path, name: str, size: tuple[int, int] | None) -> None:
    image = photo(media / name, size)
    expected = opencv_rows(image, media.parent / "weights" / "face_detection_yunet_2023mar.onnx")
    found = as_rows(build(max_side=None).detect(image))
    assert len(expected) >= 1
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3


def test_five_people(media: Path) -> None:
    image = photo(media / "multi_face.jpg")
    before = image.copy()
    faces = build().detect(image)
    assert np.array_equal(image, before)
    for face, (left, top, width, height) in zip(sorted(faces, key=lambda face: face.box[0]), PEOPLE, strict=True):
        assert face.box == pytest.approx((left, top, width, height), abs=8)
        assert face.score > 0.9
    areas = [face.box[2] * face.box[3] for face in faces]
    assert areas == sorted(areas, reverse=True)


def test_landmarks_are_in_the_order_of_the_picture(media: Path) -> None:
    for face in build().detect(photo(media / "multi_face.jpg")):
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_colors_are_not_swapped(media: Path) -> None:
    image = photo(media / "single_face.jpg")
    (right,), (swapped,) = build().detect(image), build().detect(image[..., ::-1])
    assert right.score > swapped.score


def test_no_face(media: Path) -> None:
    detector = build()
    with av.open(str(media / "no_face.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [detector.detect(frame) for frame in frames[::20]] == [[] for _ in frames[::20]]


@pytest.mark.parametrize("size", [(1920, 1281), (3840, 2561)])
def test_large_pictures_are_shrunk_and_boxes_are_not(media: Path, size: tuple[int, int]) -> None:
    scale = size[0] / 1000
    image = cv2.resize(photo(media / "multi_face.jpg"), size)
    faces = sorted(build().detect(image), key=lambda face: face.box[0])
    assert [box_center(face.box) for face in faces] == [
        pytest.approx(tuple(scale * side for side in box_center(box)), abs=8 * scale) for box in PEOPLE
    ]
    assert len(build(max_side=64).detect(image)) < 5


def test_a_tall_picture(media: Path) -> None:
    image = np.concatenate([photo(media / "multi_face.jpg"), np.zeros((1400, 1000, 3), np.uint8)])
    assert len(build().detect(image)) == 5


def test_a_box_may_stick_out(media: Path) -> None:
    image = photo(media / "single_face.jpg")
    (whole,) = build(max_side=None).detect(image)
    cut = round(whole.box[1] + 0.7 * whole.box[3])
    (part,) = build(max_side=None).detect(image[:cut])
    assert part.box[1] + part.box[3] > cut + 10


def test_pictures_of_other_sizes_leave_nothing_behind(media: Path) -> None:
    image = photo(media / "multi_face.jpg", (640, 420))
    detector = build()
    alone = detector.detect(image)
    # the same padded size, and more of it filled
    detector.detect(np.full((448, 640, 3), 255, np.uint8))
    assert detector.detect(image) == alone


def test_threads_share_a_detector(media: Path) -> None:
    detector = build()
    assert detector.is_thread_safe
    images = [
        photo(media / name, size) for name in ("single_face.jpg", "multi_face.jpg") for size in (None, (320, 200))
    ]
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.detect, 4 * images)) == 4 * alone


def test_thresholds(media: Path) -> None:
    image = photo(media / "multi_face.jpg")
    scores = sorted(face.score for face in build().detect(image))
    assert len(build(score_threshold=scores[1]).detect(image)) == 4
    assert build(score_threshold=1.0).detect(image) == []
    assert len(build(nms_threshold=1.0).detect(image)) > 5
    assert [face.score for face in build(top_k=1).detect(image)] == [scores[-1]]
    assert len(build(threads=2).detect(image)) == 5


def test_suppression() -> None:
    from affectkit.faces.yunet_detector import suppress

    # in x: 0 to 10, 5 to 15 (a third shared), 10 to 20 (a third shared with the second, nothing with the first)
    corners = np.array([[[left, 0], [left + 10, 10]] for left in (0, 5, 10)], dtype=np.float32)
    assert suppress(corners, 0.3) == [0, 2]
    assert suppress(corners, 0.34) == [0, 1, 2]
    assert suppress(corners[:0], 0.3) == []


def test_what_is_no_picture_is_refused(media: Path) -> None:
    check_refusals(build())


def test_flipped_and_tiny_pictures(media: Path) -> None:
    detector = build()
    image = photo(media / "single_face.jpg")
    assert len(detector.detect(image[:, ::-1])) == 1
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []
    assert detector.detect(np.zeros((1, 3000, 3), np.uint8)) == []


def test_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = str(tmp_path / "nowhere")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", folder)
    with pytest.raises(WeightsError) as caught:
        build()
    assert str(caught.value) == f"AFFECTKIT_WEIGHTS: {folder!r} is no folder; name one, or unset it"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"score_threshold": 1.5}, "score_threshold: 1.5 is no threshold; write 0 to 1"),
        ({"nms_threshold": -0.1}, "nms_threshold: -0.1 is no threshold; write 0 to 1"),
        ({"max_side": 31}, "max_side: 31 pixels; write 32 or more"),
        ({"top_k": 0}, "top_k: 0 candidates; write 1 or more"),
        ({"threads": 0}, "threads: 0 threads; write 1 or more"),
    ],
)
def test_refused_configs(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        YuNetConfig(**fields)
    assert str(caught.value) == message


def test_the_weights_are_published_with_their_license() -> None:
    assert SPEC.weights == (WEIGHTS,)
    assert (WEIGHTS.license, WEIGHTS.size, WEIGHTS.is_synthetic) == ("MIT", 232589, False)
