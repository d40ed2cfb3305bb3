"""What face detectors share: the check of a picture, shrinking it, and the order of the faces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from affectkit.errors import ConfigError, InputError
from affectkit.records import Face

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check_picture(image: NDArray[np.uint8]) -> None:
    """Refuse what is no RGB picture.

    Raises:
        InputError: it is not `(H, W, 3)`, has no pixel, or is not `uint8`.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(f"image: shape {image.shape}; give (H, W, 3), RGB")
    if image.dtype != "uint8":
        raise InputError(f"image: dtype {image.dtype}; give uint8, 0 to 255")


def shrink(image: NDArray[np.uint8], max_side: int | None) -> tuple[NDArray[np.uint8], float, float]:
    """The picture with its longest side at most `max_side`, and what its x and y are multiplied by to go back."""
    import cv2

    height, width = image.shape[:2]
    scale = 1.0 if max_side is None else max_side / max(height, width)
    if scale >= 1:
        return image, 1.0, 1.0
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    smaller = image
    # Halved first, by areas: no pixel is skipped, and that is two to four times as fast as all of it by areas.
    while min(smaller.shape[1] // size[0], smaller.shape[0] // size[1]) >= 2:
        half = smaller.shape[1] // 2, smaller.shape[0] // 2
        smaller = cv2.resize(smaller, half, interpolation=cv2.INTER_AREA)
    smaller = cv2.resize(smaller, size, interpolation=cv2.INTER_LINEAR)
    return smaller, width / size[0], height / size[1]


def largest_first(faces: Iterable[Face], image: NDArray[np.uint8]) -> list[Face]:
    """The faces by falling area of their boxes, without those that have no pixel of the picture."""
    inside = [face for face in faces if touches(face.box, image)]
    return sorted(inside, key=lambda face: face.box[2] * face.box[3], reverse=True)


def touches(box: tuple[float, float, float, float], image: NDArray[np.uint8]) -> bool:
    """Whether the box, with its edges rounded to whole pixels, has a pixel of the picture."""
    left, top, width, height = box
    rows, columns = image.shape[:2]
    x0, x1 = max(round(left), 0), min(round(left + width), columns)
    y0, y1 = max(round(top), 0), min(round(top + height), rows)
    return bool(x0 < x1 and y0 < y1)


def check_share(value: float, path: str) -> None:
    """Refuse a threshold outside [0, 1] with a ConfigError."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{value!r} is no threshold", "write 0 to 1", path=path)


def check_count(value: int | None, path: str, least: int, unit: str) -> None:
    """Refuse a number of `unit` below `least` with a ConfigError; None is left to the field's type."""
    if value is not None and value < least:
        raise ConfigError(f"{value!r} {unit}", f"write {least} or more", path=path)
