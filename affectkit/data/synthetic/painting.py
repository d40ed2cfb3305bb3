"""Brushes: soft shapes, noise and strands on a grid of points, float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affectkit.data.synthetic.identity import Color

Array = NDArray[np.float32]
Numbers = NDArray[np.floating]


class Canvas(NamedTuple):
    """Points of the face at which a texture has its texels; `scale` texels to the distance between the pupils."""

    x: Array
    y: Array
    scale: float


class Sheet(NamedTuple):
    """A picture in the making, or a part of one that shares its memory.

    Attributes:
        image: RGB, `(H, W, 3)`.
        opaque: 0 where nothing has been painted to 1, `(H, W)`.
        skin: color of bare skin at each texel, `(H, W, 3)`.
        on: where the texels are.
    """

    image: Array
    opaque: Array
    skin: Array
    on: Canvas

    def crop(self, left: float, top: float, right: float, bottom: float) -> Sheet:
        """The part between these coordinates, at least one texel of it."""
        rows = _range(self.on.y[:, 0], top, bottom)
        columns = _range(self.on.x[0], left, right)
        on = Canvas(self.on.x[rows, columns], self.on.y[rows, columns], self.on.scale)
        return Sheet(self.image[rows, columns], self.opaque[rows, columns], self.skin[rows, columns], on)

    def cover(self, color: Color | Numbers, amount: Numbers) -> None:
        """Put something opaque on it, in place."""
        tint(self.image, color, amount)
        np.maximum(self.opaque, amount, out=self.opaque, casting="same_kind")


def canvas(left: float, top: float, width: int, height: int, scale: float) -> Canvas:
    """A grid of `height` times `width` texels, the first one's middle at `left`, `top`."""
    x = np.float32(left) + np.arange(width, dtype=np.float32) / np.float32(scale)
    y = np.float32(top) + np.arange(height, dtype=np.float32) / np.float32(scale)
    grid_x, grid_y = np.meshgrid(x, y)
    return Canvas(grid_x, grid_y, scale)


def ramp(value: Numbers, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between; `low` may be the larger one."""
    share = (np.asarray(value, np.float32) - np.float32(low)) * np.float32(1.0 / (high - low))
    np.clip(share, 0.0, 1.0, out=share)
    smooth: Array = share * share * (np.float32(3.0) - np.float32(2.0) * share)
    return smooth


def bump(on: Canvas, x: float, y: float, sx: float, sy: float) -> Array:
    """A Gaussian bump of height 1."""
    across = np.exp(-0.5 * ((on.x[0] - x) / sx) ** 2).astype(np.float32)
    down = np.exp(-0.5 * ((on.y[:, 0] - y) / sy) ** 2).astype(np.float32)
    value: Array = down[:, None] * across
    return value


def pair(on: Canvas, x: float, y: float, sx: float, sy: float) -> Array:
    """The same bump on both sides of the face."""
    return bump(on, x, y, sx, sy) + bump(on, -x, y, sx, sy)


def line(on: Canvas, points: tuple[tuple[float, float], ...], width: float) -> Array:
    """A soft line of height 1 through points of ascending x, or of ascending y where it is steeper than wide."""
    xs, ys = np.array(points, np.float32).T
    value = np.zeros(on.x.shape, np.float32)
    spare = 4.0 * width
    columns = _range(on.x[0], float(xs.min()) - spare, float(xs.max()) + spare)
    rows = _range(on.y[:, 0], float(ys.min()) - spare, float(ys.max()) + spare)
    x, y = on.x[0, columns], on.y[rows, 0]
    steep = abs(ys[-1] - ys[0]) > abs(xs[-1] - xs[0])
    along, at, of = (y, ys, xs) if steep else (x, xs, ys)
    ends = ramp(along, float(at[0]) - width, float(at[0]) + 2 * width) * ramp(
        along, float(at[-1]) + width, float(at[-1]) - 2 * width
    )
    middle = np.interp(along, at, of).astype(np.float32)
    away = x - middle[:, None] if steep else y[:, None] - middle
    value[rows, columns] = np.exp(-0.5 * (away / width) ** 2) * (ends[:, None] if steep else ends)
    return value


def mirrored(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The points of the other side of the face, ascending again."""
    flipped = tuple((-x, y) for x, y in points)
    return flipped if abs(points[-1][1] - points[0][1]) > abs(points[-1][0] - points[0][0]) else flipped[::-1]


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur; `sigma` in texels."""
    import cv2

    blurred: Array = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.05), borderType=cv2.BORDER_REPLICATE)
    return blurred


def noise(rng: np.random.Generator, on: Canvas, size: float) -> Array:
    """Smooth noise of mean 0 and deviation 1, whose spots are about `size` pupil distances wide."""
    import cv2

    height, width = on.x.shape
    sigma = size * on.scale / 2.0
    # Coarse noise is drawn coarse: blurring it at full size is most of the time that a face takes.
    step = max(1, int(sigma / 2.0))
    small = rng.standard_normal((height // step + 4, width // step + 4), dtype=np.float32)
    small = blur(small, sigma / step)
    small -= small.mean()
    small /= small.std()
    full: Array = cv2.resize(small, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC) if step > 1 else small
    return full[:height, :width]


def tint(image: Array, color: Color | Numbers, amount: Numbers) -> None:
    """Paint `color` over `image` where `amount` is 1, in place."""
    color = np.asarray(color, np.float32)
    # Most paint goes to a small part of the canvas.
    rows, columns = np.flatnonzero(amount.any(axis=1)), np.flatnonzero(amount.any(axis=0))
    if not len(rows):
        return
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = image[window]
    part += amount[window][..., None] * ((color[window] if color.ndim > 1 else color) - part)


def shade(height: Array, scale: float, light: tuple[float, float, float], relief: float) -> tuple[Array, Array]:
    """How bright a surface of this height is under a light, and how much it shines, both in [0, 1]."""
    import cv2

    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=relief * scale / 8.0)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=relief * scale / 8.0)
    length = np.sqrt(1.0 + dx * dx + dy * dy)
    lx, ly, lz = np.array(light) / np.linalg.norm(light)
    toward = (-dx * lx - dy * ly + lz) / length
    # Halfway between light and viewer, who looks along z.
    hx, hy, hz = np.array([lx, ly, lz + 1.0]) / np.linalg.norm([lx, ly, lz + 1.0])
    mirror = np.clip((-dx * hx - dy * hy + hz) / length, 0.0, 1.0)
    # Wrapped around: skin lets light through, so that its shadows are soft.
    diffuse: Array = np.clip((toward + 0.35) / 1.35, 0.0, 1.0).astype(np.float32)
    shine: Array = (mirror**24).astype(np.float32)
    return diffuse, shine


def bilinear(image: Array, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of an image `(H, W, C)` at points `(..., 2)`, the border's beyond it; exact, where cv2 rounds to 1/32."""
    height, width = image.shape[:2]
    x = np.clip(points[..., 0], 0.0, width - 1.0)
    y = np.clip(points[..., 1], 0.0, height - 1.0)
    left = np.minimum(x.astype(np.int64), max(width - 2, 0))
    top = np.minimum(y.astype(np.int64), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = image[top, left] * (1.0 - fx) + image[top, right] * fx
    lower = image[bottom, left] * (1.0 - fx) + image[bottom, right] * fx
    value: NDArray[np.float64] = upper * (1.0 - fy) + lower * fy
    return value


def _range(axis: Array, low: float, high: float) -> slice:
    """From `low` to `high` on an ascending axis; one texel where there is none."""
    first, last = (int(index) for index in np.searchsorted(axis, (low, high)))
    first = min(first, len(axis) - 1)
    return slice(first, max(last, first + 1))
