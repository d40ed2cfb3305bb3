"""Aligning faces: a template, the similarity that moves a face onto it, and the warp that follows that.

Points are complex numbers x + iy, so that a similarity is z -> a z + b: |a| scales, arg(a) turns. Written like this it
can't mirror. Least squares has a closed form (Umeyama, IEEE TPAMI 13(4), 1991, for two dimensions):

    a = sum(conj(p) q) / sum(|p|^2),  b = mean(q) - a mean(p),  p and q taken from their means in the first formula.

Lengths of a template are shares of a square's side, from its top left corner; pixel k of a side of n lies at k / n.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from affectkit.records import Face

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Eye, eye, nose, mouth corner, mouth corner; of each pair, the one on the left of the picture first.
LANDMARKS = 5


@dataclass(frozen=True)
class Similarity:
    """z -> a z + b, from pixels of a picture to a template's square."""

    a: complex
    b: complex

    def __call__(self, z: complex) -> complex:
        return self.a * z + self.b

    @property
    def scale(self) -> float:
        """How many times longer what it gives is than what it takes."""
        return abs(self.a)

    def then(self, scale: float, offset: complex) -> Similarity:
        """This one, and after it `scale z + offset`."""
        return Similarity(scale * self.a, scale * self.b + offset)


# Center and size of a face's box, in distances between the eyes and the mouth: as YuNet's are on upright faces.
_BOX_DOWN = 0.355
_BOX_SIZE = 2.42


@dataclass(frozen=True)
class Template:
    """Where a face lies in a square crop.

    Attributes:
        points: of the five landmarks.
        is_fitted: whether all points count alike (least squares). If not, the eyes and the mouth become level, the
            centroid of both eyes and the middle of the mouth comes to its place, and the eyes' mean distance from the
            middle of the mouth is the template's.
    """

    points: tuple[complex, complex, complex, complex, complex]
    is_fitted: bool = True

    def similarity(self, face: Face) -> Similarity:
        """What moves the face's five points onto the template; for a face without them, `by_box`."""
        if not has_landmarks(face):
            return self.by_box(face)
        points = template_points(face)
        similarity = fit(points, self.points) if self.is_fitted else _level(points, self.points)
        # five points in one place have no direction
        return similarity if similarity is not None else self.by_box(face)

    def by_box(self, face: Face) -> Similarity:
        """About the same for an upright face, from its box: center and area, as boxes of the detector YuNet lie."""
        left, top, width, height = face.box
        eyes, down = self._axis()
        scale = _BOX_SIZE * abs(down) / max(math.sqrt(max(width * height, 0.0)), 1e-6)
        center = complex(left + width / 2, top + height / 2)
        return Similarity(complex(scale), eyes + _BOX_DOWN * down - scale * center)

    @property
    def iod(self) -> float:
        """Inter-ocular distance."""
        return abs(self.points[1] - self.points[0])

    def _axis(self) -> tuple[complex, complex]:
        """Middle of the eyes, and the way from there to the middle of the mouth."""
        eyes, mouth = (self.points[0] + self.points[1]) / 2, (self.points[3] + self.points[4]) / 2
        return eyes, mouth - eyes


def has_landmarks(face: Face) -> bool:
    """Whether it has the five points that templates are about; of other landmarks the order is not known."""
    return bool(template_points(face))


def template_points(face: Face) -> list[complex]:
    """The five points that templates are about, in pixels: its `five_points`, or five landmarks; empty without both."""
    points = face.five_points or face.landmarks
    return [complex(x, y) for x, y in points] if len(points) == LANDMARKS else []


def fit(points: Sequence[complex], onto: Sequence[complex]) -> Similarity | None:
    """The similarity that moves `points` onto `onto` with the least squares; None if they are all one point."""
    middle, target = sum(points) / len(points), sum(onto) / len(onto)
    spread = sum(abs(p - middle) ** 2 for p in points)
    if spread <= 0:
        return None
    a = sum((p - middle).conjugate() * (q - target) for p, q in zip(points, onto, strict=True)) / spread
    return Similarity(a, target - a * middle) if a else None


def _level(points: Sequence[complex], onto: Sequence[complex]) -> Similarity | None:
    """As for a template that is not fitted."""
    middle, reach = _middle_and_reach(points)
    target, wanted = _middle_and_reach(onto)
    along = points[1] - points[0] + points[4] - points[3]
    if not along or not reach:
        return None
    a = wanted / reach * abs(along) / along
    return Similarity(a, target - a * middle)


def _middle_and_reach(points: Sequence[complex]) -> tuple[complex, float]:
    """Centroid of the eyes and the mouth, and the eyes' mean distance to the mouth."""
    mouth = (points[3] + points[4]) / 2
    return (points[0] + points[1] + mouth) / 3, (abs(points[0] - mouth) + abs(points[1] - mouth)) / 2


def _of_112(*points: tuple[float, float]) -> tuple[complex, complex, complex, complex, complex]:
    first, second, nose, third, fourth = (complex(x, y) / 112 for x, y in points)
    return first, second, nose, third, fourth


# The points that ArcFace and its successors align faces to (Deng et al., CVPR 2019), on 112x112 pixels.
_ARCFACE = _of_112((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
# As face-api.js cuts faces for its networks: centroid of eyes and mouth at (0.5, 0.43), 0.45 from eyes to mouth. Beyond
# what it does, the head's roll is undone.
_DLIB = (0.303 + 0.295138j, 0.697 + 0.295138j, 0.5 + 0.495j, 0.33 + 0.699725j, 0.67 + 0.699725j)
# Wide enough for brows, mouth and chin of a head that moves.
_STEADY = (0.35 + 0.4j, 0.65 + 0.4j, 0.5 + 0.555j, 0.376 + 0.712j, 0.624 + 0.712j)

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {"arcface": Template(_ARCFACE), "dlib": Template(_DLIB, is_fitted=False), "steady": Template(_STEADY)}
)


def warp(
    image: NDArray[np.uint8], similarity: Similarity, height: int, width: int, *, gray: bool = False
) -> NDArray[np.float32]:
    """The crop that a similarity makes of a picture, `(height, width, 3)` or, if `gray`, `(height, width)`; in [0, 1].

    Bilinear, and nothing is rounded to whole gray levels. A picture that shrinks to about a k-th, k a whole number, is
    averaged over blocks of k x k pixels first, and what is left of shrinking is met by a small blur: fine patterns do
    not turn into coarse ones. The blocks lie the same way whatever the offset, so that crops which are whole pixels
    apart show the same, up to the 1/32 of a pixel to which OpenCV rounds places. Beyond the picture's border its edge
    is repeated.

    Arguments:
        image: `(H, W, 3)` uint8, RGB.
        similarity: from pixels of the picture to pixels of the crop, of which the first has its center at 0.
        height: of the crop, pixels.
        width: of the crop, pixels.
        gray: whether the colors are mixed to one channel (ITU-R BT.601).
    """
    import cv2
    import numpy as np

    # Pixels of the picture per pixel of the crop, along each side: k of the blocks, the rest of the blur.
    shrink = 1 / similarity.scale
    k = min(max(round(shrink), 1), max(image.shape[:2]))
    values, x0, y0 = _region(image, similarity, height, width, k)
    if gray:
        values = cv2.cvtColor(values.astype(np.float32), cv2.COLOR_RGB2GRAY)
    if k > 1:
        # OpenCV averages whole numbers much faster than floats; 256 steps per gray level are enough.
        fine = (values * np.float32(256)).astype(np.uint16) if gray else values.astype(np.uint16) << 8
        values = cv2.resize(fine, (fine.shape[1] // k, fine.shape[0] // k), interpolation=cv2.INTER_AREA)
    level = 255 * 256 if k > 1 else 255
    values = values.astype(np.float32)
    if shrink > k:
        side = (shrink / k - 1) / 2
        kernel = np.array([side, 1, side], dtype=np.float32) / (1 + 2 * side)
        values = cv2.sepFilter2D(values, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    # From pixels of the crop to blocks: block X has its center at x = k X + (k - 1) / 2 + x0.
    step = 1 / (similarity.a * k)
    start = (-similarity.b / similarity.a - complex(x0, y0) - (k - 1) / 2 * (1 + 1j)) / k
    crop = cv2.warpAffine(
        values,
        np.array([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]]),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    result: NDArray[np.float32] = np.minimum(crop * np.float32(1 / level), np.float32(1))
    return result


def _region(
    image: NDArray[np.uint8], similarity: Similarity, height: int, width: int, k: int
) -> tuple[NDArray[np.uint8], int, int]:
    """The part of the picture that the crop needs, in whole blocks of k x k pixels, and where it begins, x and y."""
    import cv2

    corners = [(complex(x, y) - similarity.b) / similarity.a for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)]
    x0, x1 = _blocks([corner.real for corner in corners], image.shape[1], k)
    y0, y1 = _blocks([corner.imag for corner in corners], image.shape[0], k)
    region = image[y0:y1, x0:x1]
    below, right = -region.shape[0] % k, -region.shape[1] % k
    if below or right:
        region = cv2.copyMakeBorder(region, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return region, x0, y0


def _blocks(ends: Sequence[float], length: int, k: int) -> tuple[int, int]:
    """From the start of a block to the end of one, with two more on both sides, as far as the picture goes."""
    last = (length - 1) // k
    first_block = min(max(math.floor(min(ends) / k) - 2, 0), last)
    last_block = min(max(math.floor(max(ends) / k) + 2, first_block), last)
    return first_block * k, min((last_block + 1) * k, length)
