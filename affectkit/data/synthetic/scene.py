"""Several people who walk about in one picture, with the truth about who is where: a world for trackers.

People are flat figures with a face at rest. Those later in the list are nearer and hide those before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence as Items
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.camera import Sensor, paint_background
from affectkit.data.synthetic.encoding import encode
from affectkit.data.synthetic.face import Face
from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.data.synthetic.painting import Array
from affectkit.data.synthetic.poses import AT_REST
from affectkit.data.synthetic.walks import Walk
from affectkit.errors import InputError

# Half the width of a figure, and its height over the eyes, in pupil distances.
_HALF, _OVER = 3.7, 2.3


class SyntheticScene:
    """A scene of P people in T frames; made by `render_scene`.

    Attributes:
        times: of the frames, `(T,)` seconds.
        fps: frames per second.
        walks: of the people; a person's id is the position in it.
        boxes: left, top, width, height of each face, `(T, P, 4)` pixels, also outside the picture; NaN where hidden.
        landmarks: pupils, tip of the nose, corners of the mouth as (x, y), `(T, P, 5, 2)` pixels; NaN where hidden.
        shown: share of each face's oval that the frame shows, `(T, P)` in [0, 1].
    """

    def __init__(
        self,
        seed: int,
        walks: tuple[Walk, ...],
        size: tuple[int, int],
        fps: float,
        seconds: float,
        noise: float,
        crf: int,
    ) -> None:
        self.walks, self.fps, self._size, self._crf = walks, fps, size, crf
        self.times = np.arange(max(1, round(seconds * fps)), dtype=np.float64) / fps
        self._figures = tuple(_Figure(walk, size) for walk in walks)
        self._background = paint_background(FaceIdentity.from_seed(seed), size, np.random.default_rng([seed, 4]))
        self._sensor = Sensor(seed, size, noise)
        frames, people = len(self.times), len(walks)
        self.boxes = np.full((frames, people, 4), np.nan)
        self.landmarks = np.full((frames, people, 5, 2), np.nan)
        self.shown = np.zeros((frames, people))
        for t, time in enumerate(self.times):
            for index, (walk, figure) in enumerate(zip(walks, self._figures, strict=True)):
                place = walk.place(float(time))
                if place is not None:
                    self.boxes[t, index], self.landmarks[t, index] = figure.box(place), figure.landmarks(place)
            self.shown[t] = _shares(self.boxes[t], size)

    def __len__(self) -> int:
        """How many frames it has."""
        return len(self.times)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """The frame at a position, `(H, W, 3)` RGB, before compression."""
        light = self._background.copy()
        for walk, figure in zip(self.walks, self._figures, strict=True):
            place = walk.place(float(self.times[index]))
            if place is not None:
                figure.put(light, place)
        return self._sensor.expose(light, index)

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """All frames in order, drawn one by one."""
        return (self.frame(index) for index in range(len(self)))

    def write(self, path: str | Path) -> Path:
        """Write the scene as H.264 with the exact times of its frames."""
        return encode(path, self.frames(), self.times, self._size, self._crf)


class _Figure:
    """A person painted once, to be put anywhere."""

    def __init__(self, walk: Walk, size: tuple[int, int]) -> None:
        iod = walk.iod
        # As high as the picture: wherever the eyes are, clothes go down to its lower edge.
        height, width = size[0] + int(_OVER * iod), 2 * int(np.ceil(_HALF * iod))
        self._middle = (width / 2.0, _OVER * iod)
        self._face = Face(walk.person, (height, width), iod, self._middle)
        layers = self._face.draw({})
        self._sprite = np.concatenate([layers.color, layers.opacity[..., None]], axis=-1)

    def put(self, light: Array, place: tuple[float, float]) -> None:
        """Draw it with its pupils around `place`, in place."""
        import cv2

        x, y = place[0] - self._middle[0], place[1] - self._middle[1]
        sprite_height, sprite_width = self._sprite.shape[:2]
        height, width = light.shape[:2]
        left, top = max(int(np.floor(x)), 0), max(int(np.floor(y)), 0)
        right, bottom = min(int(np.ceil(x)) + sprite_width, width), min(int(np.ceil(y)) + sprite_height, height)
        if left >= right or top >= bottom:
            return
        shift = np.array([[1.0, 0.0, x - left], [0.0, 1.0, y - top]])
        layer = cv2.warpAffine(self._sprite, shift, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
        window = light[top:bottom, left:right]
        window *= 1.0 - layer[..., 3:]
        window += layer[..., :3]

    def box(self, place: tuple[float, float]) -> tuple[float, float, float, float]:
        """Left, top, width, height of the face."""
        left, top, width, height = self._face.box(AT_REST)
        return left + place[0] - self._middle[0], top + place[1] - self._middle[1], width, height

    def landmarks(self, place: tuple[float, float]) -> NDArray[np.float64]:
        """`(5, 2)` as of a clip."""
        moved: NDArray[np.float64] = self._face.landmarks({}, AT_REST) + np.array(place) - np.array(self._middle)
        return moved


def render_scene(
    seed: int,
    walks: Items[Walk],
    *,
    seconds: float,
    size: tuple[int, int] = (360, 640),
    fps: float = 30.0,
    noise: float = 2.0,
    crf: int = 23,
) -> SyntheticScene:
    """A scene of people on their ways, the same for the same arguments.

    Arguments:
        seed: of the background and of the noise.
        walks: one for each person, from the farthest to the nearest.
        seconds: length of the scene.
        size: height and width, pixels; even.
        fps: frames per second.
        noise: standard deviation of the sensor's noise, gray levels of 255.
        crf: constant rate factor of H.264.

    Raises:
        InputError: a walk has no step.
    """
    for index, walk in enumerate(walks):
        if not walk.steps:
            raise InputError(f"walks[{index}]: no steps; give at least one")
    return SyntheticScene(seed, tuple(walks), size, fps, seconds, noise, crf)


def _shares(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """How much of each face's oval lies in the picture and behind no nearer face's oval."""
    shares = np.zeros(len(boxes))
    u, v = np.meshgrid(np.linspace(-1.0, 1.0, 41), np.linspace(-1.0, 1.0, 41))
    oval = u * u + v * v <= 1.0
    for index, (left, top, width, height) in enumerate(boxes):
        if np.isnan(left):
            continue
        x, y = left + (u[oval] + 1.0) * width / 2.0, top + (v[oval] + 1.0) * height / 2.0
        seen = (x >= 0) & (x <= size[1] - 1) & (y >= 0) & (y <= size[0] - 1)
        for other in boxes[index + 1 :]:
            if not np.isnan(other[0]):
                a, b = (x - other[0]) / other[2] * 2.0 - 1.0, (y - other[1]) / other[3] * 2.0 - 1.0
                seen &= a * a + b * b > 1.0
        shares[index] = seen.mean()
    return shares
