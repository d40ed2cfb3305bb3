"""The detector on real pictures; its five points and scores also on made-up meshes, without MediaPipe."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affectkit_mediapipe.bundle import POINTS
from affectkit_mediapipe.face import MediaPipeFaceConfig
from affectkit_mediapipe.face_detector import FIVE_POINTS, MediaPipeFace, as_face, five_points
from affectkit_mediapipe.landmarker import Mesh
from numpy.typing import NDArray

from affectkit import Face, InputError
from affectkit.faces.yunet import SPEC as YUNET, YuNetConfig
from affectkit.video.reader import VideoFrame, read_frames


@pytest.fixture
def detector(shared: Path) -> MediaPipeFace:
    pytest.importorskip("mediapipe", reason="runs in the environment of `make test-mediapipe`")
    return MediaPipeFace(MediaPipeFaceConfig())


def read(path: Path) -> NDArray[np.uint8]:
    import cv2

    picture: Any = cv2.imread(str(path))
    return np.ascontiguousarray(picture[:, :, ::-1])


def mesh() -> Mesh:
    return Mesh(np.random.default_rng(0).uniform((100, 200), (180, 300), (POINTS, 2)))


def test_the_five_points_are_means_of_the_mesh() -> None:
    points = mesh().points
    wanted = [[sum(points[i][axis] for i in indexes) / len(indexes) for axis in (0, 1)] for indexes in FIVE_POINTS]
    np.testing.assert_allclose(five_points(mesh()), wanted)


def test_a_mesh_has_the_score_of_the_detection_around_its_center() -> None:
    x, y = mesh().center
    boxes = np.array(
        [
            (x - 60, y - 20, 80, 80, 0.9),  # holds the center, and has its own further away than the next
            (x - 42, y - 39, 80, 80, 0.8),
            (x + 1, y, 50, 50, 0.99),  # beside it
        ]
    )
    face = as_face(mesh(), boxes, 0.5)
    assert face.score == 0.8
    assert as_face(mesh(), boxes[2:], 0.5).score == 0.5
    low, high = mesh().points.min(axis=0), mesh().points.max(axis=0)
    assert face.box == pytest.approx((*low, *(high - low)))


def test_a_face_has_a_mesh_that_fits_the_points_of_another_detector(detector: MediaPipeFace, shared: Path) -> None:
    picture = read(shared / "media" / "single_face.jpg")
    (face,) = detector.detect(picture)
    (other,) = YUNET.factory(YuNetConfig()).detect(picture)
    assert len(face.landmarks) == POINTS
    assert face.score > 0.85
    eyes = np.array(other.landmarks[:2])
    apart = np.hypot(*(np.array(face.five_points) - np.array(other.landmarks)).T) / np.hypot(*(eyes[1] - eyes[0]))
    assert apart.max() < 0.15
    points = np.array(face.landmarks)
    left, top, width, height = face.box
    assert (points >= (left, top)).all()
    assert (points <= (left + width + 1e-6, top + height + 1e-6)).all()
    assert overlap(face, other) > 0.7


def overlap(one: Face, other: Face) -> float:
    """Intersection over union of the boxes."""
    first, second = (np.array([box[:2], np.add(box[:2], box[2:])]) for box in (one.box, other.box))
    shared = np.prod(np.maximum(np.minimum(first[1], second[1]) - np.maximum(first[0], second[0]), 0))
    both = np.prod(first[1] - first[0]) + np.prod(second[1] - second[0])
    return float(shared / (both - shared))


def test_a_mirrored_picture_has_the_mirrored_face(detector: MediaPipeFace, shared: Path) -> None:
    picture = read(shared / "media" / "single_face.jpg")
    (face,), (mirrored,) = detector.detect(picture), detector.detect(picture[:, ::-1])
    eye, _, nose, *_ = face.five_points
    _, other_eye, other_nose, *_ = mirrored.five_points
    for one, two in ((eye, other_eye), (nose, other_nose)):
        assert abs(picture.shape[1] - one[0] - two[0]) < 6
        assert abs(one[1] - two[1]) < 6


def test_faces_that_are_far_away_are_missed_or_doubted(detector: MediaPipeFace, shared: Path) -> None:
    # five people, 80 to 103 pixels wide of 1000
    faces = detector.detect(read(shared / "media" / "multi_face.jpg"))
    assert 1 <= len(faces) < 5
    assert max(face.score for face in faces) < 0.7
    areas = [face.box[2] * face.box[3] for face in faces]
    assert areas == sorted(areas, reverse=True)


def test_where_nobody_is_nobody_is_found(detector: MediaPipeFace, shared: Path) -> None:
    for name in ("no_face.mp4", "baby-monitor-input.mp4"):
        frames = [item for item in read_frames(shared / "media" / name, stop=1.0) if isinstance(item, VideoFrame)]
        assert frames
        assert [detector.detect(item.image) for item in frames[::6]] == [[]] * len(frames[::6])


def test_two_threads_find_what_one_does(detector: MediaPipeFace, shared: Path) -> None:
    frames = read_frames(shared / "media" / "single_face.mp4", stop=0.5)
    images = [item.image for item in frames if isinstance(item, VideoFrame)]
    assert detector.is_thread_safe
    wanted = [detector.detect(image) for image in images]
    assert all(wanted)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(detector.detect, images)) == wanted


@pytest.mark.parametrize("first", ["", "import mediapipe\n"])
def test_python_ends_without_a_traceback(first: str, detector: MediaPipeFace) -> None:
    # a task that is still open when Python ends has no thread any more that could close it
    text = f"{first}from affectkit_mediapipe import face\ndetector = face.SPEC.factory(face.MediaPipeFaceConfig())\n"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_pictures_that_are_hardly_any(detector: MediaPipeFace) -> None:
    for shape in ((1, 1, 3), (2, 900, 3), (900, 2, 3)):
        assert detector.detect(np.full(shape, 128, dtype=np.uint8)) == []
    with pytest.raises(InputError) as caught:
        detector.detect(np.zeros((4, 4), dtype=np.uint8))
    assert str(caught.value) == "image: shape (4, 4); give (H, W, 3), RGB"
