"""Detector of `yunet`. The network predicts for every cell of three grids, of 8, 16 and 32 pixels.

A cell's numbers: cls (how sure that it is a face), obj (how sure of the box), before their sigmoids; bbox, center and
logarithm of the size; kps, five points; these in cells. score = sqrt(cls obj).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, final

import cv2
import numpy as np
import onnxruntime

from affectkit.faces.onnx_sizes import with_free_size
from affectkit.faces.pictures import check_picture, largest_first, shrink
from affectkit.faces.yunet import WEIGHTS, YuNetConfig
from affectkit.faces.yunet_heads import CHANNELS, with_joined_heads
from affectkit.interfaces import FaceDetector
from affectkit.records import Face
from affectkit.weights import fetch_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDES = (8, 16, 32)


@final
class YuNet(FaceDetector[YuNetConfig]):
    """Boxes, scores and five landmarks.

    Raises:
        WeightsError: the weights are not on this machine and can't be fetched, or are not what was published.
    """

    def __init__(self, config: YuNetConfig) -> None:
        super().__init__(config)
        model = fetch_weights(WEIGHTS, "affectkit").read_bytes()
        options = onnxruntime.SessionOptions()
        # Two threads were slower than one wherever something else ran, and whole frames can run side by side.
        options.intra_op_num_threads = config.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3  # errors
        # The file says 640x640, and no layer of it needs that.
        model = with_free_size(with_joined_heads(model))
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._kept = threading.local()

    @property
    def is_thread_safe(self) -> bool:
        return True

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces of an RGB picture `(H, W, 3)`, largest first, in its pixels.

        Raises:
            InputError: the picture is not `(H, W, 3)`, has no pixel, or is not `uint8`.
        """
        check_picture(image)
        smaller, x_scale, y_scale = shrink(np.ascontiguousarray(image), self.config.max_side)
        outputs = self._session.run(None, {"input": self._blob(smaller)})
        points, scores = decode(outputs, self.config.score_threshold)
        best = np.argsort(-scores, kind="stable")[: self.config.top_k]
        kept = best[suppress(points[best, :2], self.config.nms_threshold)]
        placed = (points[kept].astype(np.float64) * (x_scale, y_scale)).tolist()
        faces = []
        for ((left, top), (right, bottom), *landmarks), score in zip(placed, scores[kept].tolist(), strict=True):
            box = (left, top, right - left, bottom - top)
            faces.append(Face(box=box, landmarks=tuple((x, y) for x, y in landmarks), score=score))
        return largest_first(faces, image)

    def _blob(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """BGR `(1, 3, H, W)`, padded with zeros on the right and below to multiples of the coarsest grid."""
        height, width = image.shape[:2]
        # One per thread, for pictures of one size in a row: fresh memory costs as much as filling it.
        if getattr(self._kept, "size", None) != (height, width):
            self._kept.size = height, width
            self._kept.blob = np.zeros((1, 3, _padded(height), _padded(width)), dtype=np.float32)
        blob: NDArray[np.float32] = self._kept.blob
        for channel, plane in zip((2, 1, 0), cv2.split(image), strict=True):
            blob[0, channel, :height, :width] = plane
        return blob


def decode(outputs: list[NDArray[np.float32]], threshold: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the network says about the cells whose score is at least `threshold`, in pixels of the blob.

    Returns:
        `(N, 7, 2)`: top left and bottom right corner of the box, five landmarks, as x and y; and the scores `(N,)`.
    """
    points, scores = [], []
    for stride, output in zip(STRIDES, outputs, strict=True):
        channels, columns = output.reshape(CHANNELS, -1), output.shape[-1]
        cls, obj = sigmoid(channels[:2])
        certainty = cls * obj
        # Nearly every cell ends here.
        cells = np.flatnonzero(certainty >= threshold**2)
        found = channels[2:, cells].T.reshape(-1, 7, 2)
        grid = np.stack(np.divmod(cells, columns)[::-1], axis=-1).astype(np.float32)
        center, half = grid + found[:, 0], np.exp(found[:, 1]) / 2
        landmarks = grid[:, None] + found[:, 2:]
        points.append(stride * np.concatenate([(center - half)[:, None], (center + half)[:, None], landmarks], axis=1))
        scores.append(np.sqrt(certainty[cells]))
    return np.concatenate(points), np.concatenate(scores)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """From any number to (0, 1)."""
    with np.errstate(over="ignore"):  # infinity becomes 0, as it should
        result: NDArray[np.float32] = np.reciprocal(1 + np.exp(-values))
    return result


def suppress(corners: NDArray[np.float32], threshold: float) -> list[int]:
    """Non-maximum suppression: which boxes stay, of boxes in falling order of their scores.

    Arguments:
        corners: `(N, 2, 2)`, top left and bottom right corner.
        threshold: a box stays if its intersection over union with every better one that stays is at most this.
    """
    areas = np.prod(corners[:, 1] - corners[:, 0], axis=-1)
    left, kept = np.arange(len(corners)), []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(int(best))
        low = np.maximum(corners[best, 0], corners[left, 0])
        high = np.minimum(corners[best, 1], corners[left, 1])
        shared = np.prod(np.maximum(high - low, 0), axis=-1)
        left = left[shared <= threshold * (areas[best] + areas[left] - shared)]
    return kept


def _padded(size: int) -> int:
    return -(-size // STRIDES[-1]) * STRIDES[-1]
