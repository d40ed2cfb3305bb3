"""Text on pictures in any size and with the letters that file names have, in matplotlib's own font."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Color = tuple[int, int, int]
_SMALLEST = 4


class Lettering:
    """Text of one size.

    Attributes:
        size: of the letters, pixels.
        ascent: pixels from the baseline to the top of a tall letter.
        line: pixels from one baseline to the next.
    """

    def __init__(self, size: float, *, is_bold: bool = False) -> None:
        """Arguments:
        size: pixels; at least 4 are drawn.
        is_bold: whether letters are heavy.
        """
        self.size = max(round(size), _SMALLEST)
        self.ascent, self.line = round(0.76 * self.size), round(1.45 * self.size)
        self._font = _font(is_bold)

    def width(self, text: str) -> int:
        """Pixels that `text` takes."""
        return int(self._set(text).get_width_height()[0]) // 64 if text else 0

    def shortened(self, text: str, width: int) -> str:
        """As much of `text` as is no wider than `width`, its end cut off for an ellipsis."""
        if self.width(text) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(f"{text[:middle]}…") <= width else (low, middle - 1)
        return f"{text[:low].rstrip()}…"

    def draw(self, image: NDArray[np.uint8], text: str, x: int, baseline: int, color: Color) -> None:
        """Write `text` into `image`, `(H, W, 3)` uint8, from `x` on; what lies beyond the picture is cut off."""
        import numpy as np

        if not text.strip():
            return
        font = self._set(text)
        font.draw_glyphs_to_bitmap(antialiased=True)
        ink = np.asarray(font.get_image(), dtype=np.uint16)
        top = baseline + round(font.get_descent() / 64) - ink.shape[0]
        height, width = image.shape[:2]
        y0, y1, x0, x1 = max(top, 0), min(top + ink.shape[0], height), max(x, 0), min(x + ink.shape[1], width)
        if y0 >= y1 or x0 >= x1:
            return
        ink = ink[y0 - top : y1 - top, x0 - x : x1 - x, None]
        part = image[y0:y1, x0:x1]
        part[:] = ((part * (255 - ink) + np.array(color, np.uint16) * ink + 127) // 255).astype(np.uint8)

    def _set(self, text: str) -> Any:
        # fonts are shared, so the size is set anew
        self._font.set_size(self.size, 72)
        # letters that the font has not would be empty boxes, and a warning each
        known = "".join(letter if self._font.get_char_index(ord(letter)) else "?" for letter in text)
        self._font.set_text(known, 0.0)
        return self._font


@lru_cache(maxsize=2)
def _font(is_bold: bool) -> Any:
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    weight = "bold" if is_bold else "normal"
    return FT2Font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
