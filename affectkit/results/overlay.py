"""Drawing what was found into a picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from affectkit.results.colors import KIND_COLORS, TRACK_COLORS, is_action_units, target_of
from affectkit.results.rows import EventRow, Row
from affectkit.results.timeline import by_output
from affectkit.score_streams import is_agreement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WHITE, _DARK, _RED = (255, 255, 255), (24, 24, 24), (214, 40, 57)
_MAX_LINES = 4
_ACTIVE = 0.5
Color = tuple[int, int, int]
# Left, top, width and height, pixels.
Place = tuple[int, int, int, int]


def draw_overlay(
    image: NDArray[np.uint8],
    pts: float | None,
    rows: Iterable[Row],
    events: Iterable[EventRow],
    targets: tuple[str, ...],
    caution: str = "",
) -> NDArray[np.uint8]:
    """The picture with everything drawn into it, in place.

    Arguments:
        image: `(H, W, 3)` uint8, RGB.
        pts: seconds, shown at the top; None for a picture, which has no time.
        rows: of this frame.
        events: that are going on; a line each at the bottom.
        targets: prediction columns of the table.
        caution: shown beside the time, in red.
    """
    canvas = _Canvas(image)
    rows = list(rows)
    note = "  no face" if any(row.status == "no_face" for row in rows) else ""
    clock = "" if pts is None else f"{pts:.3f} s"
    if header := f"{clock}{note}  {caution}".strip():
        canvas.line(header, 0, _RED if caution else _DARK)
    placed = [(row, place) for row in rows if (place := place_of(row)) is not None]
    colors = [rgb_of(TRACK_COLORS[(row.track or 0) % len(TRACK_COLORS)]) for row, _ in placed]
    for (row, place), color in zip(placed, colors, strict=True):
        canvas.box(place, color, is_faint=row.status != "ok")
    # afterwards, so that they keep off all boxes
    for (row, place), color in zip(placed, colors, strict=True):
        canvas.label(describe(row, targets), place, color)
    for number, event in enumerate(list(events)[:_MAX_LINES]):
        who = "" if event.track is None else f"track {event.track}  "
        confidence = "" if event.confidence is None else f"  {event.confidence:.2f}"
        label = f": {event.label}" if event.label else ""
        rejected = "" if event.status == "ok" else "  (rejected)"
        canvas.line(f"{who}{event.kind}{label}{confidence}{rejected}", -1 - number, rgb_of(KIND_COLORS[event.kind]))
    return image


def describe(row: Row, targets: tuple[str, ...]) -> list[str]:
    """What is written at a face: its number, and a line per output.

    Of classes it is the most probable one, of action units those that are active, of valence and arousal both.
    """
    lines = [f"track {row.track}" if row.track is not None else "face"]
    for output, columns in by_output(targets).items():
        # how far the members of an ensemble agree is no label
        if is_agreement(output, map(target_of, columns)):
            continue
        values = {target_of(name): row.predictions[name] for name in columns if name in row.predictions}
        if not values:
            continue
        if values.keys() <= {"valence", "arousal"}:
            lines.append("  ".join(f"{name} {value:+.2f}" for name, value in values.items()))
        elif is_action_units(columns):
            active = sorted((name for name in values if values[name] >= _ACTIVE), key=lambda name: -values[name])
            lines.append(" ".join(active[:_MAX_LINES]) or "no AU")
        else:
            best = max(values, key=lambda name: values[name])
            lines.append(f"{best} {values[best]:.2f}")
    return lines


class _Canvas:
    """A picture to draw on, with sizes that go with it."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]
        shorter = min(self.height, self.width)
        self.scale = min(max(shorter / 800, 0.36), 3.0)
        self.weight = max(1, round(shorter / 400))
        self.pad = max(3, round(11 * self.scale))
        self._taken: list[Place] = []

    def box(self, place: Place, color: Color, *, is_faint: bool) -> None:
        """A rectangle; thin where it is doubted."""
        import cv2

        left, top, width, height = place
        self._taken.append(place)
        weight = 1 if is_faint else self.weight + 1
        cv2.rectangle(self.image, (left, top), (left + width, top + height), color, weight, cv2.LINE_AA)

    def label(self, lines: list[str], place: Place, color: Color) -> None:
        """Lines above a box, or below it where there is no room; where boxes and other labels are least in the way."""
        sizes = [self._size(line) for line in lines]
        width = max(size[0] for size in sizes) + 2 * self.pad
        step = sizes[0][1] + self.pad
        height = step * len(lines) + self.pad
        left, top, box_width, box_height = place
        middle = left + (box_width - width) // 2
        lefts = [max(0, min(x, self.width - width)) for x in (left, left + box_width - width, middle)]
        below = max(min(top + box_height, self.height - height), 0)
        # the first line of the picture holds the time
        tops = [top - height, below] if top - height >= step + self.pad else [below]
        places = [(x, y, width, height) for y in tops for x in lefts]
        best = min(places, key=lambda one: sum(shared_pixels(one, other) for other in self._taken))
        self._taken.append(best)
        self._shade(best, color)
        for number, line in enumerate(lines):
            self._write(line, best[0] + self.pad, best[1] + step * (number + 1))

    def line(self, text: str, number: int, color: Color) -> None:
        """A line at the left: the first from the top for 0; from the bottom for -1, -2, ..."""
        width, height = self._size(text)
        step = height + 2 * self.pad
        y = number * step if number >= 0 else self.height + number * step
        self._shade((0, y, width + 2 * self.pad, step), color)
        self._write(text, self.pad, y + self.pad + height)

    def _shade(self, place: Place, color: Color) -> None:
        """Lay a color over a part of the picture, so that white text can be read on it."""
        import numpy as np

        left, top, width, height = place
        top = max(top, 0)
        part = self.image[top : top + height, left : left + width]
        part[:] = (part * 0.25 + np.array(color) * 0.75).astype(np.uint8)

    def _size(self, text: str) -> tuple[int, int]:
        import cv2

        (width, height), _ = cv2.getTextSize(_ascii(text), cv2.FONT_HERSHEY_SIMPLEX, self.scale, self.weight)
        return int(width), int(height)

    def _write(self, text: str, x: int, y: int) -> None:
        import cv2

        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(self.image, _ascii(text), (x, y), font, self.scale, _WHITE, self.weight, cv2.LINE_AA)


def place_of(row: Row) -> Place | None:
    """The box of a row in whole pixels; None without a face."""
    if row.left is None or row.top is None or row.width is None or row.height is None:
        return None
    return round(row.left), round(row.top), round(row.width), round(row.height)


def shared_pixels(one: Place, other: Place) -> int:
    """Pixels that both cover."""
    wide, high = (
        min(one[axis] + one[axis + 2], other[axis] + other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1)
    )
    return max(wide, 0) * max(high, 0)


def _ascii(text: str) -> str:
    # the font has no other letters; a question mark shows that one is missing
    return text.encode("ascii", "replace").decode()


def rgb_of(color: str) -> Color:
    """Red, green and blue of a color such as `#0072b2`."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
