"""Detector of `mediapipe-face`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, final

import numpy as np

from affectkit import Face, FaceDetector
from affectkit.faces.pictures import check_picture, largest_first
from affectkit.weights import fetch_weights
from affectkit_mediapipe.bundle import BUNDLE, PROVIDER
from affectkit_mediapipe.face import MediaPipeFaceConfig
from affectkit_mediapipe.landmarker import Finder, Landmarker, Mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Indexes of the mesh whose mean is a point of templates: the corners of either eye, the tip of the nose, the corners of
# the mouth; the person's right side, which is on the left of the picture, first. Corners of an eye stay where they are
# when it closes or looks elsewhere; the center of the iris does not.
FIVE_POINTS: tuple[tuple[int, ...], ...] = ((33, 133), (362, 263), (4,), (61,), (291,))


@final
class MediaPipeFace(FaceDetector[MediaPipeFaceConfig]):
    """Boxes, scores and meshes. Every thread that calls has networks of its own, of one thread each.

    Raises:
        WeightsError: the file is not on this machine and can't be fetched, or is not what was published.
        MissingDependencyError: mediapipe, or a library of the system that it needs, is not there.
    """

    def __init__(self, config: MediaPipeFaceConfig) -> None:
        super().__init__(config)
        self._bundle = fetch_weights(BUNDLE, PROVIDER).read_bytes()
        self._local = threading.local()
        self._tasks()  # for its errors: here, and not in a thread at the first frame

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces of an RGB picture `(H, W, 3)`, largest first, in its pixels.

        Raises:
            InputError: the picture is not `(H, W, 3)`, has no pixel, or is not `uint8`.
        """
        check_picture(image)
        find, landmark = self._tasks()
        boxes = find(image)
        # Without a detection there is no mesh: the same network looks first.
        meshes = landmark(image) if len(boxes) else []
        return largest_first([as_face(mesh, boxes, self.config.score_threshold) for mesh in meshes], image)

    def _tasks(self) -> tuple[Finder, Landmarker]:
        if not hasattr(self._local, "tasks"):
            config = self.config
            self._local.tasks = (
                Finder(self._bundle, score_threshold=config.score_threshold),
                Landmarker(
                    self._bundle,
                    max_faces=config.max_faces,
                    score_threshold=config.score_threshold,
                    presence_threshold=config.presence_threshold,
                    with_blendshapes=False,
                ),
            )
        tasks: tuple[Finder, Landmarker] = self._local.tasks
        return tasks


def as_face(mesh: Mesh, boxes: NDArray[np.float64], least: float) -> Face:
    """The record of a mesh.

    Arguments:
        mesh: of one face.
        boxes: detections of the picture, `(N, 5)`: left, top, width, height, score.
        least: the score where no detection's box holds the center of the mesh; of several, the one with the nearest
            center counts.
    """
    (left, top), (right, bottom) = mesh.points.min(axis=0).tolist(), mesh.points.max(axis=0).tolist()
    away = 2 * np.abs(boxes[:, :2] + boxes[:, 2:4] / 2 - mesh.center) / boxes[:, 2:4]
    holding = np.flatnonzero((away <= 1).all(axis=1))
    score = float(boxes[holding[np.hypot(*away[holding].T).argmin()], 4]) if holding.size else least
    return Face(
        box=(left, top, right - left, bottom - top),
        landmarks=tuple((x, y) for x, y in mesh.points.tolist()),
        five_points=tuple((x, y) for x, y in five_points(mesh).tolist()),
        score=min(score, 1.0),
    )


def five_points(mesh: Mesh) -> NDArray[np.float64]:
    """Eye, eye, tip of the nose, corner of the mouth, corner of the mouth, `(5, 2)`, in pixels of the picture."""
    return np.stack([mesh.points[list(indexes)].mean(axis=0) for indexes in FIVE_POINTS])
