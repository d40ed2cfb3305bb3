"""How far the skin of a face has moved since the first frame, frame by frame and cell by cell.

Lucas and Kanade, IJCAI 1981: with D the frame, warped back by the head's motion, less a keyframe, and G the keyframe's
gradient, pixels that have moved by d on top of the head have sum G D = -(sum G G') d. The sums b = sum G D and
A = sum G G' are taken per cell, so that any pattern of motion over cells is a sum of these later. The head's motion is
a similarity h = (tx, ty, a, b) fitted to all cells, with weights that fall where a cell does not follow it (iteratively
reweighted least squares); J h is its displacement of a cell.

Keyframes are warped to the pose of the first frame, so that a cell shows the same skin all the time. They are renewed
on a fixed grid of time, when the eyes are open and the face is at rest. For a moment after that, frames are measured
against both keyframes: what one shows more than the other is the offset between them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor

import cv2
import numpy as np

from affectkit.spotters.face_patterns import Array, Doubles, FaceGrid
from affectkit.spotters.motion_events import KEYFRAME_SECONDS, PATIENCE_SECONDS

# Seconds for which a new keyframe is compared to the one before.
OVERLAP_SECONDS = 0.3
# Pixels: a cell that is off by this much counts a quarter in the head's motion.
ROBUST = 0.15
REWEIGHTINGS = 4
# Added to the squared gradient: where there is no texture, no motion is claimed.
LEAST_TEXTURE = 0.3
# Share of a cell's texture that is added where it lies in one direction alone.
_SINGULAR = 0.02
# Blur before differentiation and scale of local contrast, in distances between the eyes.
_PRESMOOTH, _CONTRAST = 0.016, 0.16
# Gray levels of 255: contrast below this is noise, and is not amplified.
_MIN_CONTRAST = 20.0
_MAX_WARPS = 6
# Pixels; a warp that changes less is the last.
_SETTLED = 0.01
# Unlikeness of an eye to the keyframe from which it may be shut; pixels by which a pattern at rest is off at most.
_SHUT, _AT_REST = 0.2, 0.3
# Unlikeness of a picture to the keyframe from which it shows something else; of a face half hidden it is less.
_UNRELATED = 0.75
# Share of a keyframe's texture that the next one has at least.
_LEAST_TEXTURE_KEPT = 0.5
# Gray levels of 255 by which a pixel differs that is not a repeated one.
_CHANGED = 0.02
_DERIVATIVE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12


@dataclass
class Keyframe:
    """A reference frame with all that does not depend on the frames measured against it.

    Attributes:
        number: of the stretch of time that it serves.
        time: its own, seconds.
        image, gx, gy: contrast-normalized picture in the pose of the first frame, and its gradient.
        normal: A of each cell, `(N, 2, 2)`.
        inverse: of A with a little on its diagonal, `(N, 2, 2)`.
        by_head: A J, the change of all b by one unit of each of the head's four, `(2N, 4)`.
        sizes: what b comes to along each pattern where the skin has moved by one pixel in its midst, `(P,)`.
        offset: b of the keyframe itself, `(N, 2)`; None until it is known.
        gaps: per frame of the overlap, b by the old keyframe less b by this one.
    """

    number: int
    time: float
    image: Array
    gx: Array
    gy: Array
    normal: Doubles
    inverse: Doubles
    by_head: Doubles
    sizes: Doubles
    offset: Doubles | None
    gaps: list[Doubles] = field(default_factory=list)


@dataclass(frozen=True)
class Motion:
    """What one frame says.

    Attributes:
        cells: b of each cell since the first frame, warped back by `head`, `(N, 2)`.
        fresh: share of each cell's pixels that differ from the last frame's, `(N,)`.
        strange: sum of D^2 in each cell beyond what a displacement explains, `(N,)`.
        head: h since the first frame, `(4,)`: pixels, the last two at one eye distance from the middle.
        eyes: unlikeness of each eye to the keyframe, `(2,)`: 0 the same, 1 unrelated.
    """

    cells: Array
    fresh: Array
    strange: Array
    head: Doubles
    eyes: Doubles


@dataclass
class Reference:
    """What frames of a clip are measured against.

    Attributes:
        key: the keyframe in use.
        before: the last one, as long as both are.
        image: the last frame; None before the first.
        head: h of the last frame since the first one.
    """

    key: Keyframe
    before: Keyframe | None
    image: Array | None
    head: Doubles


class CellMotion:
    """Measures frames of one size. What belongs to a clip is the `Reference` that `begin` makes."""

    def __init__(self, grid: FaceGrid) -> None:
        self._grid = grid

    def begin(self, image: Array, time: float) -> Reference:
        """Start a clip with its first frame, `(H, W)` gray levels of 255."""
        key = self._keyframe(self._normalized(image), time)
        key.offset = np.zeros((len(self._grid.places), 2))
        return Reference(key, None, None, np.zeros(4))

    def measure(self, reference: Reference, image: Array, time: float) -> Motion | None:
        """The motion of the next frame; changes `reference`. None, and no change, where the frame is of something else.

        Arguments:
            reference: what `begin` made.
            image: `(H, W)` gray levels of 255.
            time: seconds.
        """
        head = reference.head
        warped, cells, rest = self._follow(reference, self._normalized(image))
        if _unlikeness(reference.key.image, warped) > _UNRELATED:
            reference.head = head
            return None
        strange = self._strange(reference.key, warped, cells)
        fresh = self._fresh(reference, image)
        reference.image = image
        eyes = self._eyes(reference.key, warped)
        if self._is_due(reference.key, rest, eyes, time):
            renewed, before = self._keyframe(warped, time), reference.key
            # a dark or covered picture is none to measure against
            if renewed.sizes.sum() > _LEAST_TEXTURE_KEPT * before.sizes.sum():
                if before.offset is None:
                    before.offset = np.median(before.gaps, axis=0)
                reference.before, reference.key = before, renewed
                cells, eyes = np.zeros_like(cells), np.zeros(2)
        key, before_key = reference.key, reference.before
        if before_key is not None and before_key.offset is not None:
            moved = self._sums(before_key, warped - before_key.image) + before_key.offset
            key.gaps.append(moved - cells)
            if time - key.time >= OVERLAP_SECONDS:
                key.offset, reference.before = np.median(key.gaps, axis=0), None
        else:
            assert key.offset is not None  # known since the overlap ended
            moved = cells + key.offset
        small = [item.astype(np.float32) for item in (moved, fresh, strange)]
        return Motion(small[0], small[1], small[2], reference.head, eyes)

    def _is_due(self, key: Keyframe, rest: Doubles, eyes: Doubles, time: float) -> bool:
        number = floor(time / KEYFRAME_SECONDS)
        if number <= key.number:
            return False
        along = np.abs(np.einsum("pnc,nc->p", self._grid.patterns, rest)) / key.sizes
        is_at_rest = eyes.max() < _SHUT and along.max() < _AT_REST
        return bool(is_at_rest or time >= (key.number + 1) * KEYFRAME_SECONDS + PATIENCE_SECONDS)

    def _normalized(self, image: Array) -> Array:
        """The picture less its local mean, over its local contrast: what light changes slowly is gone."""
        spread = _CONTRAST * self._grid.iod
        image = cv2.GaussianBlur(image, (0, 0), _PRESMOOTH * self._grid.iod)
        image = image - _broad_blur(image, spread)
        contrast = np.sqrt(_broad_blur(image * image, spread) + np.float32(_MIN_CONTRAST**2))
        normalized: Array = image / contrast
        return normalized

    def _keyframe(self, picture: Array, time: float) -> Keyframe:
        gx, gy = cv2.filter2D(picture, -1, _DERIVATIVE), cv2.filter2D(picture, -1, _DERIVATIVE.T)
        xx, xy, yy = (self._cells(product) for product in (gx * gx, gx * gy, gy * gy))
        normal = np.stack([xx, xy, xy, yy], axis=-1).reshape(-1, 2, 2)
        little = _SINGULAR * np.trace(normal, axis1=1, axis2=2) + LEAST_TEXTURE
        inverse = np.linalg.inv(normal + little[:, None, None] * np.eye(2))
        patterns = self._grid.patterns
        sizes = np.einsum("pni,nij,pnj->p", patterns, normal, patterns) + 1.0
        by_head = (normal @ self._grid.turns).reshape(-1, 4)
        number = floor(time / KEYFRAME_SECONDS)
        return Keyframe(number, time, picture, gx, gy, normal, inverse, by_head, sizes, None)

    def _follow(self, reference: Reference, picture: Array) -> tuple[Array, Doubles, Doubles]:
        """The picture warped back to the first pose; b of each cell and the same less the head's rest, `(N, 2)`."""
        key, trust = reference.key, self._grid.trust
        size = np.trace(key.normal, axis1=1, axis2=2) + LEAST_TEXTURE
        turns = self._grid.turns.reshape(-1, 4)
        for left in reversed(range(_MAX_WARPS)):
            warped = self._warped(picture, reference.head)
            sums = self._sums(key, warped - key.image).reshape(-1)
            weights = trust
            for _ in range(REWEIGHTINGS):
                weighted = turns * np.repeat(weights, 2)[:, None]
                change = -np.linalg.solve(weighted.T @ key.by_head + 1e-3 * np.eye(4), weighted.T @ sums)
                rest = (sums + key.by_head @ change).reshape(-1, 2)
                weights = trust / (1 + (rest**2).sum(axis=-1) / (ROBUST * size) ** 2) ** 2
            if not left or np.abs(change).max() < _SETTLED:
                break
            reference.head = reference.head + change
        return warped, sums.reshape(-1, 2), rest

    def _warped(self, picture: Array, head: Doubles, kernel: int = cv2.INTER_CUBIC) -> Array:
        tx, ty = head[:2]
        a, b = head[2:] / self._grid.iod
        x, y = self._grid.middle
        matrix = np.array([[1 + a, -b, tx - a * x + b * y], [b, 1 + a, ty - b * x - a * y]])
        size, flags = picture.shape[::-1], kernel | cv2.WARP_INVERSE_MAP
        warped: Array = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return warped

    def _fresh(self, reference: Reference, image: Array) -> Doubles:
        if reference.image is None:
            return np.ones(len(self._grid.places))
        changed = (cv2.absdiff(image, reference.image) > _CHANGED).astype(np.float32)
        return self._cells(self._warped(changed, reference.head, cv2.INTER_LINEAR)) / self._grid.cell**2

    def _strange(self, key: Keyframe, warped: Array, cells: Doubles) -> Doubles:
        difference = warped - key.image
        explained = np.einsum("ni,nij,nj->n", cells, key.inverse, cells)
        strange: Doubles = np.maximum(self._cells(difference * difference) - explained, 0)
        return strange

    def _sums(self, key: Keyframe, difference: Array) -> Doubles:
        """b of each cell, `(N, 2)`."""
        return np.stack([self._cells(key.gx * difference), self._cells(key.gy * difference)], axis=-1)

    def _cells(self, image: Array) -> Doubles:
        """Sum over each cell of the face, `(N,)`."""
        grid = self._grid
        cells = image[: grid.rows * grid.cell, : grid.columns * grid.cell]
        means = cv2.resize(cells, (grid.columns, grid.rows), interpolation=cv2.INTER_AREA)
        sums: Doubles = means.reshape(-1)[grid.inside].astype(np.float64) * grid.cell**2
        return sums

    def _eyes(self, key: Keyframe, warped: Array) -> Doubles:
        return np.array([_unlikeness(key.image[box], warped[box]) for box in self._grid.eyes])


def _broad_blur(image: Array, sigma: float) -> Array:
    """A wide Gaussian blur, at a quarter of the size: nothing of it is finer than that."""
    height, width = image.shape
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    blurred: Array = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (width, height))
    return blurred


def _unlikeness(one: Array, two: Array) -> float:
    """1 less the correlation of two patches whose mean is about 0."""
    size = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return 1.0 - float((one * two).sum()) / size if size > 0 else 1.0
