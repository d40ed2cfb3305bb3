"""The one door to MediaPipe: pictures in, meshes and blendshapes out. Nothing else in the plugin imports it.

MediaPipe runs in its image mode, in which a result depends on one picture alone. Its video mode is faster and smoother,
and would make a frame's result depend on the frames before it.
"""

from __future__ import annotations

import contextlib
import io
import weakref
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from affectkit import MissingDependencyError
from affectkit_mediapipe.bundle import BLENDSHAPES, DETECTOR_FILE, INSTALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What MediaPipe's library is linked to on Linux.
SYSTEM_LIBRARIES = "libEGL.so.1 and libGLESv2.so.2"


def import_mediapipe() -> ModuleType:
    """Import mediapipe, which takes about a second.

    Raises:
        MissingDependencyError: it, or something that it imports, is not installed or is broken.
    """
    try:
        import mediapipe
    # OSError: a library that Python opens by name
    except (ImportError, OSError) as error:
        raise MissingDependencyError(f"mediapipe: can't be imported ({error}); run {INSTALL}") from error
    module: ModuleType = mediapipe
    return module


@dataclass(frozen=True)
class Mesh:
    """One face.

    Attributes:
        points: `(478, 2)` float64, x and y in pixels of the picture.
        blendshapes: `(52,)` float32 in [0, 1], in the order of `BLENDSHAPES`; None where they were not asked for.
    """

    points: NDArray[np.float64]
    blendshapes: NDArray[np.float32] | None = None

    @property
    def center(self) -> NDArray[np.float64]:
        """Mean of the points, x and y."""
        center: NDArray[np.float64] = self.points.mean(axis=0)
        return center


class Landmarker:
    """FaceLandmarker on single pictures. Calls from several threads wait for each other inside MediaPipe.

    Arguments:
        bundle: the published file.
        max_faces: for how many detections of a picture a mesh is sought.
        score_threshold: of the detector, in [0, 1].
        presence_threshold: of the mesh, in [0, 1].
        with_blendshapes: whether the third network runs, too.

    Raises:
        MissingDependencyError: mediapipe, or a library of the system that it needs, is not there.
    """

    def __init__(
        self,
        bundle: bytes,
        *,
        max_faces: int,
        score_threshold: float,
        presence_threshold: float,
        with_blendshapes: bool,
    ) -> None:
        self._mediapipe = import_mediapipe()
        vision = self._mediapipe.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_buffer=bundle),
            num_faces=max_faces,
            min_face_detection_confidence=score_threshold,
            min_face_presence_confidence=presence_threshold,
            output_face_blendshapes=with_blendshapes,
        )
        self._task = open_task(self, lambda: vision.FaceLandmarker.create_from_options(options))

    def __call__(self, picture: NDArray[np.uint8]) -> list[Mesh]:
        """The meshes of an RGB picture `(H, W, 3)`, in MediaPipe's order."""
        found = self._task.detect(as_image(self._mediapipe, picture))
        size = np.array(picture.shape[1::-1], dtype=np.float64)
        meshes = [size * [(point.x, point.y) for point in points] for points in found.face_landmarks]
        if not found.face_blendshapes:
            return [Mesh(points) for points in meshes]
        return [Mesh(points, _scores(shapes)) for points, shapes in zip(meshes, found.face_blendshapes, strict=True)]


class Finder:
    """The detector of the same file by itself, for its scores, which FaceLandmarker keeps.

    Arguments:
        bundle: the published file.
        score_threshold: in [0, 1].

    Raises:
        MissingDependencyError: as for `Landmarker`.
    """

    def __init__(self, bundle: bytes, *, score_threshold: float) -> None:
        self._mediapipe = import_mediapipe()
        vision = self._mediapipe.tasks.vision
        model = zipfile.ZipFile(io.BytesIO(bundle)).read(DETECTOR_FILE)
        options = vision.FaceDetectorOptions(
            base_options=self._mediapipe.tasks.BaseOptions(model_asset_buffer=model),
            min_detection_confidence=score_threshold,
        )
        self._task = open_task(self, lambda: vision.FaceDetector.create_from_options(options))

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """`(N, 5)`: left, top, width and height in pixels, and the score in [0, 1], of an RGB picture `(H, W, 3)`."""
        found = self._task.detect(as_image(self._mediapipe, picture)).detections
        rows = [
            (box.origin_x, box.origin_y, box.width, box.height, item.categories[0].score)
            for item in found
            for box in [item.bounding_box]
        ]
        return np.array(rows, dtype=np.float64).reshape(-1, 5)


def open_task(owner: object, create: Callable[[], Any]) -> Any:
    """What `create` makes; it is closed when `owner` is gone, or Python ends.

    Raises:
        MissingDependencyError: a library of the system is missing.
    """
    try:
        task = create()
    except OSError as error:
        fact = f"mediapipe: its library can't be loaded ({error})"
        raise MissingDependencyError(f"{fact}; install what it is linked to, {SYSTEM_LIBRARIES}") from error
    weakref.finalize(owner, _close, task)
    return task


def _close(task: Any) -> None:
    # when Python ends, the thread that would do it may be gone; all else is, a moment later
    with contextlib.suppress(RuntimeError):
        task.close()
    # closed, for the task's __del__, which would print a traceback
    task._handle = None


def as_image(mediapipe: Any, picture: NDArray[np.uint8]) -> Any:
    """MediaPipe's image of an RGB picture `(H, W, 3)`."""
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))


def _scores(categories: Any) -> NDArray[np.float32]:
    by_name = {item.category_name: item.score for item in categories}
    return np.array([by_name[name] for name in BLENDSHAPES], dtype=np.float32)
