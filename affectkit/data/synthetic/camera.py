"""What lies between a face and its video: background, something before the face, and the sensor's noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.face import Layers
from affectkit.data.synthetic.identity import FaceIdentity
from affectkit.data.synthetic.painting import Array, Canvas, noise, ramp

# Frames' worth of noise that is drawn; each frame takes its own piece of it, at its own place.
_POOL = 4


def paint_background(person: FaceIdentity, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """A wall out of focus, `(H, W, 3)` in [0, 1]."""
    height, width = size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    on = Canvas(x, y, 1.0)
    spots = 0.07 * noise(rng, on, 0.5 * height) + 0.03 * noise(rng, on, 0.08 * height)
    light = 1.0 + 0.20 * person.light_x * (x / width - 0.5) + 0.25 * person.light_y * (y / height - 0.5)
    wall = np.array(person.background, np.float32) * (light + spots)[..., None]
    painted: Array = np.clip(wall, 0.0, 1.0).astype(np.float32)
    return painted


class Occluder:
    """Something flat and still before the face.

    It lies on one side of the face: every AU here is two-sided, so none is hidden whole.

    Arguments:
        rng: where and what it is.
        box: left, top, width, height of the face at rest, pixels.
        size: height and width of the frames.
        share: how much of the face's oval it covers.
    """

    def __init__(
        self, rng: np.random.Generator, box: tuple[float, float, float, float], size: tuple[int, int], share: float
    ) -> None:
        height, width = size
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        left, top, wide, high = box
        u, v = (x - left - wide / 2) / (wide / 2), (y - top - high / 2) / (high / 2)
        side = 1.0 if rng.random() < 0.5 else -1.0
        at = side * rng.uniform(0.45, 0.55), rng.uniform(-0.5, 0.55)
        turn, aspect = rng.uniform(-0.6, 0.6), rng.uniform(0.8, 1.25)
        cos, sin = np.cos(turn), np.sin(turn)
        dx, dy = (u - at[0]) * wide / 2, (v - at[1]) * high / 2
        across, along = (cos * dx + sin * dy) * aspect, (cos * dy - sin * dx) / aspect
        away = (across**4 + along**4) ** 0.25
        # As large as it takes to cover this share of the oval, wherever it lies.
        edge = float(np.quantile(away[u * u + v * v <= 1.0], share))
        self.opacity: Array = ramp(away.astype(np.float32), edge + 0.7, edge - 0.7)
        on = Canvas(x, y, 1.0)
        hue = rng.uniform(0.15, 0.85, 3).astype(np.float32)
        texture = 1.0 + 0.08 * noise(rng, on, 4.0) + 0.08 * noise(rng, on, 30.0)
        self.color: Array = np.clip(hue * texture[..., None], 0.0, 1.0).astype(np.float32)


class Sensor:
    """Turns light into gray levels with noise; the same for the same seed and frame.

    Arguments:
        seed: of the noise.
        size: height and width of the frames.
        sigma: standard deviation of the noise, gray levels of 255.
    """

    def __init__(self, seed: int, size: tuple[int, int], sigma: float) -> None:
        self._seed, self._values = seed, size[0] * size[1] * 3
        self._pool: Array | None = None
        if sigma:
            rng = np.random.default_rng([seed, 0xA015E])
            self._pool = rng.standard_normal(_POOL * self._values, dtype=np.float32) * np.float32(sigma)

    def expose(self, light: Array, frame: int) -> NDArray[np.uint8]:
        """The picture of `light` `(H, W, 3)` in [0, 1], as uint8."""
        import cv2

        if self._pool is None:
            picture: NDArray[np.uint8] = cv2.convertScaleAbs(np.clip(light, 0.0, 1.0), alpha=255.0)
            return picture
        start = int(np.random.default_rng([self._seed, frame]).integers(len(self._pool) - self._values))
        piece = self._pool[start : start + self._values].reshape(light.shape)
        # Rounds, and stays within 0 to 255.
        noisy: NDArray[np.uint8] = cv2.addWeighted(light, 255.0, piece, 1.0, 0.0, dtype=cv2.CV_8U)
        return noisy


def compose(layers: Layers, background: Array, occluder: Occluder | None) -> Array:
    """One picture of all that is in it, back to front, `(H, W, 3)` in [0, 1]."""
    import cv2

    clear = cv2.cvtColor(1.0 - layers.opacity, cv2.COLOR_GRAY2BGR)
    light: Array = cv2.add(layers.color, cv2.multiply(background, clear))
    if occluder is not None:
        light += occluder.opacity[..., None] * (occluder.color - light)
    return light
