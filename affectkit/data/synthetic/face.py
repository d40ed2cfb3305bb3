"""A face that can be drawn in any pose with any action units, and that knows where each of its points went.

Three coordinates: `p` of the frame, `r` of the head at rest, and `q` of the texture, all in pixels of the frame. A
frame is drawn by asking from where each pixel came, exactly and without search:

    r = pose^-1 p        s = r - sum_k a_k B_k(r)        q = s less the parting of lids and lips at s

with the peak a_k in pixels and the field B_k of each AU. The other way, from a point of the texture to the frame, which
the dense flow needs, solves the same equations by fixed-point iteration: the fields are gentle, so that it contracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.eyes import paint_eye, paint_eyeballs, paint_mouth
from affectkit.data.synthetic.head import paint_head
from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.data.synthetic.openings import Opening, eye, mouth
from affectkit.data.synthetic.painting import Array, bilinear, blur, canvas
from affectkit.data.synthetic.poses import AT_REST, Pose, grid_under, inverse, matrix, move
from affectkit.data.synthetic.units import AUS, edges, field

# Texels to a pixel: cv2 rounds positions to 1/32 of a texel, which is a hundredth of a pixel.
_FINE, _FINE_LARGE = 3.0, 2.0
# Pixels between the pupils from which on a face is large: its texture is then smoother than the grid.
_LARGE = 70.0
# How far beyond the frame the head is painted, pupil distances: so far it may move.
_MARGIN = 0.35
# Deviation of the blur of lens and sensor, pixels of the frame.
_LENS = 0.55
_PIVOT_Y = 0.5
# From the middle of the face to the edge of the texture of the eyeballs, pupil distances.
_EYES = (1.0, 0.5)
# Inverting goes on until points move by less than this, pixels; the steepest fields take about so many rounds.
_EXACT, _ITERATIONS = 1e-6, 100


class Layers(NamedTuple):
    """A frame of the face alone.

    Attributes:
        color: RGB in [0, 1] times opacity, `(H, W, 3)`.
        opacity: of the head, 0 to 1, `(H, W)`.
        skin: 1 where what shows is neither eyeball nor the inside of the mouth, `(H, W)`.
    """

    color: Array
    opacity: Array
    skin: Array


class Face:
    """One person, painted once for frames of one size.

    Arguments:
        person: who.
        size: height and width of the frames, pixels.
        iod: pixels between the pupils.
        middle: (x, y) of the midpoint between the pupils at rest; by default in the middle, a little above.
    """

    def __init__(
        self, person: FaceIdentity, size: tuple[int, int], iod: float, middle: tuple[float, float] | None = None
    ) -> None:
        height, width = size
        self.person, self.size, self.iod = person, size, float(iod)
        self.middle = middle if middle is not None else ((width - 1) / 2.0, 0.43 * height)
        self.pivot = (self.middle[0], self.middle[1] + _PIVOT_Y * iod)
        self._fine = _FINE if iod < _LARGE else _FINE_LARGE
        border = _MARGIN * iod
        self._corner = (-self.middle[0] - border) / iod, (-self.middle[1] - border) / iod
        texels = [int(np.ceil((side + 2 * border) * self._fine)) for side in (width, height)]
        on = canvas(*self._corner, texels[0], texels[1], self._fine * iod)
        head = blur(paint_head(person, on), _LENS * self._fine)
        self._color, self._opacity = np.ascontiguousarray(head[..., :3]), np.ascontiguousarray(head[..., 3])
        texels = [int(2 * side * self._fine * iod) for side in _EYES]
        on = canvas(-_EYES[0], -_EYES[1], texels[0], texels[1], self._fine * iod)
        self._eyeballs = blur(paint_eyeballs(person, on), _LENS * self._fine)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._grid = np.stack([x, y], axis=-1)
        self._fields: dict[str, Array] = {}
        self._eyes = (eye(person, -1.0), eye(person, 1.0))
        self._mouth = mouth(person)

    def draw(self, pixels: Mapping[str, float], pose: Pose = AT_REST) -> Layers:
        """The face with AUs of these peaks in pixels.

        Raises:
            KeyError: an AU that is not in `AUS`.
        """
        import cv2

        forward = matrix(pose, self.pivot)
        back = inverse(forward)
        head = grid_under(back, self.size)
        skin = self._relaxed(head, pixels, back)
        upper_lid, lower_lid, upper_lip, lower_lip = (value / self.iod for value in edges(pixels))
        source = skin.copy()
        eyes = [self._window(opening, forward, pixels) for opening in self._eyes]
        lips = self._window(self._mouth, forward, pixels)
        for opening, window in zip(self._eyes, eyes, strict=True):
            self._part(opening, source, skin, window, upper_lid, lower_lid)
        self._part(self._mouth, source, skin, lips, upper_lip, lower_lip)
        # Converted once for both: it takes as long as the sampling itself.
        maps = cv2.convertMaps(self._texel(source, self._corner), None, cv2.CV_16SC2)
        color: Array = cv2.remap(self._color, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        opacity: Array = cv2.remap(self._opacity, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shown = np.ones(self.size, np.float32)
        for opening, window in zip(self._eyes, eyes, strict=True):
            x, y = self._canonical(skin[window])
            ball = cv2.remap(
                self._eyeballs,
                self._texel(head[window], (-_EYES[0], -_EYES[1])),
                None,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            shown[window] -= paint_eye(color[window], ball, self.person, opening, x, y, (upper_lid, lower_lid))
        if upper_lip or lower_lip:
            x, y = self._canonical(skin[lips])
            shown[lips] -= paint_mouth(color[lips], self._mouth, x, y, (upper_lip, lower_lip))
        return Layers(color, opacity, shown)

    def origin(self, points: NDArray[np.float64], pixels: Mapping[str, float], pose: Pose) -> NDArray[np.float64]:
        """From which point of the texture the frame's points `(..., 2)` came, pixels; exact."""
        head = move(inverse(matrix(pose, self.pivot)), points)
        total = self._sum(pixels)
        x, y = self._canonical(head if total is None else head - bilinear(total, head))
        for opening, upper, lower in self._openings(pixels):
            y = opening.source(x, y, upper, lower)
        return self._pixels(x, y)

    def destination(self, points: NDArray[np.float64], pixels: Mapping[str, float], pose: Pose) -> NDArray[np.float64]:
        """Where points `(..., 2)` of the texture have gone in a frame, pixels; the inverse of `origin` on skin."""
        x, y = self._canonical(points)
        for opening, upper, lower in self._openings(pixels):
            y = opening.target(x, y, upper, lower)
        skin = self._pixels(x, y)
        head, total = skin, self._sum(pixels)
        if total is not None:
            for _ in range(_ITERATIONS):
                before, head = head, skin + bilinear(total, head)
                if np.abs(head - before).max() < _EXACT:
                    break
        return move(matrix(pose, self.pivot), head)

    def rest(self, x: float, y: float) -> tuple[float, float]:
        """The pixel of a point of the face given in pupil distances."""
        return self.middle[0] + x * self.iod, self.middle[1] + y * self.iod

    def landmarks(self, pixels: Mapping[str, float], pose: Pose) -> NDArray[np.float64]:
        """Pupils, tip of the nose and corners of the mouth, `(5, 2)` pixels, the left one in the image first."""
        person = self.person
        eyes = np.array([self.rest(-0.5, 0.0), self.rest(0.5, 0.0)])
        corners = [
            (0.0, person.nose_y - 0.09),
            (-person.mouth_width, person.mouth_y),
            (person.mouth_width, person.mouth_y),
        ]
        skin = np.array([self.rest(*corner) for corner in corners])
        # Pupils go with the head only.
        return np.concatenate([move(matrix(pose, self.pivot), eyes), self.destination(skin, pixels, pose)])

    def box(self, pose: Pose) -> tuple[float, float, float, float]:
        """Left, top, width and height of the face from hairline to chin, upright around its outline, pixels."""
        person = self.person
        middle, radius = (person.hairline + person.chin) / 2.0, (person.chin - person.hairline) / 2.0
        turn = np.linspace(0.0, 2.0 * np.pi, 73)
        x, y = person.half_width * np.cos(turn), middle + radius * np.sin(turn)
        outline = move(
            matrix(pose, self.pivot), np.stack([self.middle[0] + x * self.iod, self.middle[1] + y * self.iod], -1)
        )
        (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
        return float(left), float(top), float(right - left), float(bottom - top)

    def _field(self, au: str) -> Array:
        """The AU's field on the grid of the frame at rest, per pixel of its peak."""
        if au not in self._fields:
            if au not in AUS:
                raise KeyError(au)
            self._fields[au] = field(au, self.person, *self._canonical(self._grid))
        return self._fields[au]

    def _sum(self, pixels: Mapping[str, float]) -> Array | None:
        total: Array | None = None
        for au, size in pixels.items():
            if size:
                part = self._field(au) * np.float32(size)
                total = part if total is None else total + part
        return total

    def _relaxed(self, head: Array, pixels: Mapping[str, float], back: NDArray[np.float64]) -> Array:
        """`s` on the grid of the frame."""
        import cv2

        total = self._sum(pixels)
        if total is None:
            return head
        height, width = self.size
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved: Array = cv2.warpAffine(total, back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return head - moved

    def _openings(self, pixels: Mapping[str, float]) -> list[tuple[Opening, float, float]]:
        upper_lid, lower_lid, upper_lip, lower_lip = (value / self.iod for value in edges(pixels))
        found = [(opening, upper_lid, lower_lid) for opening in self._eyes] if upper_lid or lower_lid else []
        return [*found, (self._mouth, upper_lip, lower_lip)] if upper_lip or lower_lip else found

    def _part(
        self, opening: Opening, source: Array, skin: Array, window: tuple[slice, slice], up: float, low: float
    ) -> None:
        if up or low:
            x, y = self._canonical(skin[window])
            source[window][..., 1] = opening.source(x, y, up, low) * np.float32(self.iod) + np.float32(self.middle[1])

    def _window(
        self, opening: Opening, forward: NDArray[np.float64], pixels: Mapping[str, float]
    ) -> tuple[slice, slice]:
        """The part of the frame that an opening can reach."""
        left, top, right, bottom = opening.box
        corners = [self.rest(x, y) for x in (left, right) for y in (top, bottom)]
        around = move(forward, np.array(corners))
        spare = 2.0 + sum(abs(value) for value in pixels.values())
        low, high = np.floor(around.min(axis=0) - spare), np.ceil(around.max(axis=0) + spare)
        height, width = self.size
        x0, x1 = (int(min(max(value, 0), width)) for value in (low[0], high[0]))
        y0, y1 = (int(min(max(value, 0), height)) for value in (low[1], high[1]))
        return slice(y0, y1), slice(x0, x1)

    def _canonical(self, points: NDArray[np.floating]) -> tuple[Array, Array]:
        x = (points[..., 0] - self.middle[0]) / self.iod
        y = (points[..., 1] - self.middle[1]) / self.iod
        return x.astype(np.float32), y.astype(np.float32)

    def _pixels(self, x: Array, y: Array) -> NDArray[np.float64]:
        points = np.stack([x, y], axis=-1).astype(np.float64) * self.iod
        return np.asarray(points + np.array(self.middle), np.float64)

    def _texel(self, points: Array, first: tuple[float, float]) -> Array:
        """Points in texels of a texture whose first one lies at `first`, pupil distances."""
        texels = np.empty_like(points)
        for axis in (0, 1):
            corner = first[axis] * self.iod + self.middle[axis]
            np.multiply(points[..., axis], np.float32(self._fine), out=texels[..., axis])
            texels[..., axis] -= np.float32(corner * self._fine)
        return texels
