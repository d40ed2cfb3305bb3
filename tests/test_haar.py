"""Face detector `haar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from affectkit.errors import ConfigError, MissingDependencyError
from affectkit.faces.haar import SPEC, HaarConfig
from affectkit.testing.examples import face_picture
from tests.faces import box_center, check_refusals, photo


def build(**fields: Any) -> Any:
    return SPEC.factory(HaarConfig(**fields))


def test_frontal_faces(shared: Path) -> None:
    image = photo(shared / "media" / "multi_face.jpg")
    before = image.copy()
    faces = build().detect(image)
    assert np.array_equal(image, before)
    # four of the five people: the fifth has turned away
    centers = [box_center(face.box) for face in sorted(faces, key=lambda face: face.box[0])]
    assert len(centers) >= 4
    for x, y in ((362, 298), (477, 263), (578, 370), (736, 358)):
        assert min(np.hypot(x - left, y - top) for left, top in centers) < 25
    assert all(face.landmarks == () and 0.5 <= face.score < 1 for face in faces)
    areas = [face.box[2] * face.box[3] for face in faces]
    assert areas == sorted(areas, reverse=True)


def test_one_face_and_none(shared: Path) -> None:
    detector = build()
    (face,) = detector.detect(photo(shared / "media" / "single_face.jpg"))
    assert box_center(face.box) == pytest.approx((275, 270), abs=15)
    assert face.score > 0.7
    with av.open(str(shared / "media" / "no_face.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [detector.detect(frame) for frame in frames[::20]] == [[] for _ in frames[::20]]


def test_a_large_picture_is_shrunk_and_its_boxes_are_not(shared: Path) -> None:
    small = photo(shared / "media" / "single_face.jpg", (400, 393))
    (face,) = build().detect(small)
    (large,) = build().detect(cv2.resize(small, (2400, 2358)))
    assert box_center(large.box) == pytest.approx([6 * side for side in box_center(face.box)], abs=30)


def test_scores_grow_with_the_weight() -> None:
    from affectkit.faces.haar_detector import to_score

    assert [round(to_score(weight), 3) for weight in (-3.0, 0.0, 2.8, 8.0, 100.0)] == [0.0, 0.0, 0.503, 0.865, 1.0]


def test_what_passed_most_stages_only_is_no_face(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build()

    class Cascade:
        def detectMultiScale3(self, *args: object, **options: object) -> object:
            boxes = np.array([[0, 0, 30, 30], [10, 10, 40, 40], [20, 20, 24, 24]])
            return boxes, np.array([24, 25, 25]), np.array([9.0, 9.0, 1.0])

    monkeypatch.setattr(detector, "_cascade", Cascade())
    # one failed stage 25, one passed with a low score
    assert [face.box for face in detector.detect(face_picture())] == [(10.0, 10.0, 40.0, 40.0)]


def test_what_is_no_picture_is_refused() -> None:
    check_refusals(build())


def test_flipped_and_tiny_pictures() -> None:
    detector = build()
    assert detector.detect(np.zeros((200, 300, 3), np.uint8)[::-1, ::-1]) == []
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == []


def test_one_thread_at_a_time() -> None:
    assert not build().is_thread_safe


@pytest.mark.parametrize("missing", ["folder", "data", "class"])
def test_opencv_5_has_no_cascade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    if missing == "folder":
        monkeypatch.setattr("cv2.data.haarcascades", f"{tmp_path}/")
    elif missing == "data":
        monkeypatch.delattr(cv2, "data")
    else:
        monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(MissingDependencyError) as caught:
        build()
    assert str(caught.value) == (
        "haar: needs OpenCV's 'haarcascade_frontalface_default.xml', which OpenCV 5.0.0 does not have; "
        "run pip install 'opencv-contrib-python-headless<5'"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"score_threshold": 2.0}, "score_threshold: 2.0 is no threshold; write 0 to 1"),
        ({"scale_factor": 1.0}, "scale_factor: 1.0 is no step; write more than 1, up to 2"),
        ({"min_neighbors": 0}, "min_neighbors: 0 windows; write 1 or more"),
        ({"max_side": 8}, "max_side: 8 pixels; write 32 or more"),
    ],
)
def test_refused_configs(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HaarConfig(**fields)
    assert str(caught.value) == message
