"""How far each region of a face has moved relative to the head, frame by frame, against a keyframe.

Lucas and Kanade, IJCAI 1981: with D the frame, warped back by the head's motion, less the keyframe, and G its gradient,
the displacement d of a set of pixels solves (sum G G') d = -sum G D. The sums are taken per cell; the head's motion
is a similarity (tx, ty, a, b) fitted to all cells with weights that fall where a cell does not follow it
(iteratively reweighted least squares), and what remains in a region's cells is the region's own displacement.

The keyframe is renewed on a fixed grid of time, so that the same frames are keyframes wherever in the clip one starts.
Frames after a renewal are measured against both keyframes for a moment, which says how far the new one lies from the
old; a keyframe's own noise cancels there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import floor

import cv2
import numpy as np

from affectkit.spotters.face_regions import Array, Doubles, FaceGrid
from affectkit.spotters.motion_events import KEYFRAME_SECONDS

# Seconds for which a new keyframe is compared to the one before.
OVERLAP_SECONDS = 0.3
# Blur before differentiation and scale of local contrast, in distances between the eyes.
_PRESMOOTH, _CONTRAST = 0.016, 0.16
# Gray levels of 255: contrast below this is noise, and is not amplified.
_MIN_CONTRAST = 30.0
# Pixels: a cell that is off by this much counts a quarter in the head's motion.
_ROBUST = 0.15
_MAX_WARPS, _REWEIGHTINGS = 8, 4
# Pixels; a warp that changes less is the last.
_SETTLED = 0.01
# Pixels up to which one step is right, and further steps at most.
_LINEAR, _MAX_REGION_WARPS = 0.4, 3
# Unlikeness of an eye to the keyframe from which it may be shut, and seconds that a renewal waits for it to open.
_SHUT, _PATIENCE = 0.2, 0.6
_DERIVATIVE = np.array([[1, -8, 0, 8, -1]], np.float32) / 12


@dataclass
class Keyframe:
    """A reference frame with all that does not depend on the frames measured against it.

    Attributes:
        number: of the stretch of time that it serves.
        time: its own, seconds.
        image, gx, gy: contrast-normalized picture and its gradient.
        normal: sums of gx gx, gx gy, gy gy per cell, `(N, 3)`.
        moved: those times the similarity's Jacobian, `(2N, 4)`: the change of the right-hand side by the head.
        head: (tx, ty, a, b) of the last frame measured against it, pixels (a and b at one eye distance).
        start: head's motion of the keyframe itself since the first one.
        offset: the regions' displacement of the keyframe itself, `(R, 2)`; None until it is known.
        gaps: per frame of the overlap, displacement by the old keyframe less that by this one.
    """

    number: int
    time: float
    image: Array
    gx: Array
    gy: Array
    normal: Doubles
    moved: Doubles
    head: Doubles
    start: Doubles
    offset: Doubles | None
    gaps: list[Doubles] = field(default_factory=list)


@dataclass(frozen=True)
class Motion:
    """What one frame says.

    Attributes:
        regions: displacement of each region relative to the head, `(R, 2)`, pixels.
        head: similarity of the head since the start, `(4,)`: pixels; the last two at one eye distance from the middle.
        eyes: unlikeness of each eye to the keyframe, `(2,)`: 0 the same, 1 unrelated.
    """

    regions: Doubles
    head: Doubles
    eyes: Doubles


class RegionMotion:
    """Measures frames of one size. The state of a clip is the keyframes, which `measure` takes and returns."""

    def __init__(self, grid: FaceGrid) -> None:
        self._grid = grid
        one, zero = np.ones_like(grid.x), np.zeros_like(grid.x)
        # rows alternate: displacement in x and in y of each cell
        jacobian = [[one, zero, grid.x, -grid.y], [zero, one, grid.y, grid.x]]
        self._jacobian = np.array(jacobian).transpose(2, 0, 1).reshape(-1, 4)

    def measure(
        self, keyframes: tuple[Keyframe, ...], image: Array, time: float
    ) -> tuple[tuple[Keyframe, ...], Motion]:
        """Keyframes to go on with, and the frame's motion.

        Arguments:
            keyframes: what the last call returned; empty at the start.
            image: `(H, W)` gray levels, 0 to 255.
            time: seconds.
        """
        picture = self._normalized(image)
        number = floor(time / KEYFRAME_SECONDS)
        if not keyframes:
            nothing = np.zeros((len(self._grid.windows), 2))
            keyframes = (self._keyframe(picture, number, time, np.zeros(4), nothing),)
        *_, key = keyframes
        regions, eyes = self._track(key, picture)
        # a keyframe with its eyes shut would make every other frame a blink
        if number > key.number and (eyes.max() < _SHUT or time >= number * KEYFRAME_SECONDS + _PATIENCE):
            if key.offset is None:
                key.offset = np.median(key.gaps, axis=0)
            key, before = self._keyframe(picture, number, time, key.start + key.head, None), key
            keyframes = (before, key)
            regions, eyes = self._track(key, picture)
        if key.offset is None:
            before = keyframes[0]
            by_old, _ = self._track(before, picture)
            moved = by_old + (before.offset if before.offset is not None else 0.0)
            key.gaps.append(moved - regions)
            if time - key.time >= OVERLAP_SECONDS:
                key.offset = np.median(key.gaps, axis=0)
                keyframes = (key,)
        else:
            moved = regions + key.offset
        return keyframes, Motion(moved, key.start + key.head, eyes)

    def _normalized(self, image: Array) -> Array:
        """The picture less its local mean, over its local contrast: what light changes slowly is gone."""
        spread = _CONTRAST * self._grid.iod
        image = cv2.GaussianBlur(image, (0, 0), _PRESMOOTH * self._grid.iod)
        image = image - _broad_blur(image, spread)
        contrast = np.sqrt(_broad_blur(image * image, spread) + np.float32(_MIN_CONTRAST**2))
        normalized: Array = image / contrast
        return normalized

    def _keyframe(self, picture: Array, number: int, time: float, start: Doubles, offset: Doubles | None) -> Keyframe:
        gx, gy = cv2.filter2D(picture, -1, _DERIVATIVE), cv2.filter2D(picture, -1, _DERIVATIVE.T)
        normal = np.stack([self._sums(gx * gx), self._sums(gx * gy), self._sums(gy * gy)], axis=-1)
        matrix = normal[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        moved = (matrix @ self._jacobian.reshape(-1, 2, 4)).reshape(-1, 4)
        return Keyframe(number, time, picture, gx, gy, normal, moved, np.zeros(4), start, offset)

    def _track(self, key: Keyframe, picture: Array) -> tuple[Doubles, Doubles]:
        """The regions' displacement since the keyframe `(R, 2)`, and the eyes' unlikeness to it; moves `key.head`."""
        for _ in range(_MAX_WARPS):
            warped = self._warped(picture, key.head)
            change, rest = self._head_change(key, self._gradient_sums(key, warped - key.image))
            key.head = key.head + change
            if np.abs(change).max() < _SETTLED:
                break
        regions = change_of_regions = self._solved(key, rest)
        for _ in range(_MAX_REGION_WARPS):
            if np.abs(change_of_regions).max() < _LINEAR:
                break
            # one step of least squares falls short of a pixel; so the regions are warped back too
            by_regions = self._warped(picture, key.head, regions) - key.image
            change_of_regions = self._solved(key, self._gradient_sums(key, by_regions))
            regions = regions + change_of_regions
        return regions, np.array([_unlikeness(key.image[box], warped[box]) for box in self._grid.eyes])

    def _head_change(self, key: Keyframe, sums: Doubles) -> tuple[Doubles, Doubles]:
        """What the head has moved beyond its present estimate, `(4,)`, and what is left of `sums` after that."""
        size = key.normal[:, 0] + key.normal[:, 2] + 0.3
        weights = self._grid.head
        change: Doubles = np.zeros(4)
        rest = sums
        for _ in range(_REWEIGHTINGS):
            weighted = self._jacobian * np.repeat(weights, 2)[:, None]
            change = -np.asarray(
                np.linalg.solve(weighted.T @ key.moved + 1e-3 * np.eye(4), weighted.T @ sums), dtype=np.float64
            )
            rest = sums + key.moved @ change
            off = (rest.reshape(-1, 2) ** 2).sum(axis=-1) / size**2
            weights = self._grid.head / (1 + off / _ROBUST**2) ** 2
        return change, rest

    def _solved(self, key: Keyframe, sums: Doubles) -> Doubles:
        """Displacement of each region `(R, 2)` by the sums of its cells."""
        windows = self._grid.windows
        xx, xy, yy = (windows @ key.normal).T
        # one unit of squared gradient: where there is no texture, no motion is claimed
        xx, yy = xx + 1.0, yy + 1.0
        bx, by = (windows @ sums.reshape(-1, 2)).T
        solved: Doubles = np.stack([xy * by - yy * bx, xy * bx - xx * by], axis=-1) / (xx * yy - xy * xy)[:, None]
        return solved

    def _warped(self, picture: Array, head: Doubles, regions: Doubles | None = None) -> Array:
        """The picture where head, and regions on top of it, have moved to."""
        grid = self._grid
        size = picture.shape[::-1]
        tx, ty = head[:2]
        a, b = head[2:] / grid.iod
        x, y = grid.middle
        matrix = np.array([[1 + a, -b, tx - a * x + b * y], [b, 1 + a, ty - b * x - a * y]])
        if regions is None:
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            turned: Array = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            return turned
        cells = (grid.shares.T @ regions).astype(np.float32).reshape(grid.rows, grid.columns, 2)
        field = np.zeros((*picture.shape, 2), np.float32)
        inner = (grid.columns * grid.cell, grid.rows * grid.cell)
        field[: inner[1], : inner[0]] = cv2.resize(cells, inner)
        at = (grid.pixels @ matrix.T.astype(np.float32)) + field
        warped: Array = cv2.remap(picture, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return warped

    def _gradient_sums(self, key: Keyframe, difference: Array) -> Doubles:
        """Sums of gx D and gy D per cell, `(2N,)`."""
        return np.stack([self._sums(key.gx * difference), self._sums(key.gy * difference)], axis=-1).reshape(-1)

    def _sums(self, image: Array) -> Doubles:
        """Sum over each cell, `(N,)`."""
        grid = self._grid
        cells = image[: grid.rows * grid.cell, : grid.columns * grid.cell]
        means = cv2.resize(cells, (grid.columns, grid.rows), interpolation=cv2.INTER_AREA)
        sums: Doubles = means.astype(np.float64).reshape(-1) * grid.cell**2
        return sums


def _broad_blur(image: Array, sigma: float) -> Array:
    """A wide Gaussian blur, at a quarter of the size: nothing of it is finer than that."""
    height, width = image.shape
    small = cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    blurred: Array = cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (width, height))
    return blurred


def _unlikeness(one: Array, two: Array) -> float:
    """1 less the correlation of two patches whose mean is about 0."""
    size = float(np.sqrt((one * one).sum() * (two * two).sum()))
    return 1.0 - float((one * two).sum()) / size if size > 0 else 0.0
