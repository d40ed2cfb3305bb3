"""A picture with a panel at each face: beside the face where there is room, and otherwise beside the picture.

Panels keep off all faces and off each other. They get smaller, and then say less, before they leave the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from affectkit.results.colors import TRACK_COLORS
from affectkit.results.lettering import Color, Lettering
from affectkit.results.overlay import Place, place_of, rgb_of, shared_pixels
from affectkit.results.panels import DARK, WHITE, Panel, flowed, lines_of
from affectkit.results.rows import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RED = (196, 32, 48)
# Letters of pictures that are looked at on a screen: of the shorter side, but never below these two.
_SHARE, _LEAST, _LEAST_SHARE = 1 / 30, 12.0, 1 / 90
_SMALLER = (1.0, 0.8, 0.64)
# A panel is no farther from its face than this, in the longer sides of the box and of the panel.
_REACH = 0.6


def draw_faces(
    image: NDArray[np.uint8], rows: Iterable[Row], targets: tuple[str, ...], *, caution: str = "", top: int = 3
) -> NDArray[np.uint8]:
    """A copy of the picture with boxes and panels.

    Arguments:
        image: `(H, W, 3)` uint8, RGB.
        rows: of this picture.
        targets: prediction columns of the table.
        caution: written below the picture, in red.
        top: how many classes of each output; fewer where there is no room.

    Returns:
        A picture of the same size; wider or higher where panels don't fit beside the faces, and higher where
        something is written below it.
    """
    rows = list(rows)
    faces = [(row, place) for row in rows if (place := place_of(row)) is not None]
    height, width = image.shape[:2]
    base = max(min(height, width) * _SHARE, _LEAST)
    least = max(max(height, width) * _LEAST_SHARE, _LEAST)
    drawn = image.copy()
    boxes = [place for _, place in faces]
    chosen: list[tuple[Panel, Place]] | None = None
    for count in range(top, 0, -1):
        for share in _SMALLER:
            panels = _panels(faces, targets, count, Lettering(max(base * share, least)))
            if (chosen := _fitted(panels, boxes, width, height)) is not None:
                break
        if chosen is not None:
            break
    letters = Lettering(base)
    for (row, box), color in zip(faces, _colors(faces), strict=True):
        _draw_box(drawn, box, color, letters, is_faint=row.status != "ok")
    if chosen is not None:
        for panel, (left, above, _, _) in chosen:
            panel.draw(drawn, left, above)
    else:
        drawn = _beside(drawn, _panels(faces, targets, top, Lettering(max(base * _SMALLER[1], least))), boxes)
    notes = [("no face found", DARK)] if any(row.status == "no_face" for row in rows) else []
    for text, color in (*notes, *([(caution, _RED)] if caution else [])):
        drawn = _below(drawn, text, color, letters)
    return drawn


def _colors(faces: list[tuple[Row, Place]]) -> list[Color]:
    return [rgb_of(TRACK_COLORS[(row.track or 0) % len(TRACK_COLORS)]) for row, _ in faces]


def _panels(faces: list[tuple[Row, Place]], targets: tuple[str, ...], top: int, letters: Lettering) -> list[Panel]:
    found = []
    for (row, _), color in zip(faces, _colors(faces), strict=True):
        title = f"face {row.track}" if len(faces) > 1 else ""
        if lines := lines_of(row, targets, top, title):
            found.append(Panel(lines=lines, letters=letters, color=color))
    return found


def _fitted(panels: list[Panel], boxes: list[Place], width: int, height: int) -> list[tuple[Panel, Place]] | None:
    """A place for every panel within the picture; None where one has none."""
    taken, chosen = list(boxes), []
    # without predictions there are no panels at all
    for panel, box in zip(panels, boxes, strict=False):
        place = _free_place(panel, box, taken, width, height)
        if place is None:
            return None
        taken.append(place)
        chosen.append((panel, place))
    return chosen


def _free_place(panel: Panel, box: Place, taken: list[Place], width: int, height: int) -> Place | None:
    """The free place that is nearest to a box; None where all within reach cover something."""
    wide, high, gap = panel.width, panel.height, panel.pad
    if wide > width or high > height:
        return None
    left, top, box_width, box_height = box
    right, bottom = left + box_width + gap, top + box_height + gap
    beside = [(x, y) for x in (right, left - wide - gap) for y in range(top - high, bottom, panel.letters.size)]
    beside += [(x, top) for x in (right, left - wide - gap)]
    over = [(x, y) for y in (bottom, top - high - gap) for x in range(left - wide, right, panel.letters.size)]
    over += [(x, y) for y in (bottom, top - high - gap) for x in (left, left + box_width - wide)]

    def distance(corner: tuple[int, int]) -> float:
        """Between the middles, for which places above each other are no worse than those beside."""
        x, y = corner[0] + wide / 2 - left - box_width / 2, corner[1] + high / 2 - top - box_height / 2
        return abs(x) / (wide + box_width) + abs(y) / (high + box_height)

    for x, y in sorted((*beside, *over), key=distance):
        place = (min(max(x, 0), width - wide), min(max(y, 0), height - high), wide, high)
        reach = _REACH * max(wide, high, box_width, box_height)
        is_near = abs(place[0] - x) <= reach and abs(place[1] - y) <= reach
        if is_near and not any(shared_pixels(place, other) for other in taken):
            return place
    return None


def _beside(image: NDArray[np.uint8], panels: list[Panel], boxes: list[Place]) -> NDArray[np.uint8]:
    """The picture with panels at its right or below it, whichever is the smaller picture; boxes are numbered."""
    import numpy as np

    height, width = image.shape[:2]
    gap = panels[0].pad
    right, right_width, right_height = flowed(panels, height, gap, is_row=False)
    below, below_width, below_height = flowed(panels, width, gap, is_row=True)
    sides = (max(height, right_height), width + right_width)
    if (height + below_height) * max(width, below_width) < sides[0] * sides[1]:
        sides = (height + below_height, max(width, below_width))
        places = [(x, height + y) for x, y in below]
    else:
        places = [(width + x, y) for x, y in right]
    canvas = np.full((*sides, 3), DARK, np.uint8)
    canvas[:height, :width] = image
    for panel, (left, top) in zip(panels, places, strict=True):
        panel.draw(canvas, left, top)
    if len(panels) > 1:
        for panel, box in zip(panels, boxes, strict=True):
            # the number alone is enough at the box
            _tag(canvas[:height, :width], panel.lines[0].text.rpartition(" ")[2], box, panel)
    return canvas


def _tag(image: NDArray[np.uint8], text: str, box: Place, panel: Panel) -> None:
    """A face's number above the left of its box, or within it where there is no room; no wider than half of it."""
    letters = Lettering(min(panel.letters.size, box[2] * 0.4))
    pad = letters.size // 4
    x, y = max(box[0], 0), max(box[1], 0)
    y = y - letters.line if y >= letters.line else y
    image[y : y + letters.line, x : x + letters.width(text) + 2 * pad] = panel.color
    letters.draw(image, text, x + pad, y + (letters.line + letters.ascent) // 2, WHITE)


def _below(image: NDArray[np.uint8], text: str, color: Color, letters: Lettering) -> NDArray[np.uint8]:
    import numpy as np

    width, pad = image.shape[1], letters.size // 2
    # a picture that is narrower than the text has it in smaller letters
    wanted = letters.width(text) + 2 * pad
    letters = letters if wanted <= width else Lettering(letters.size * width // wanted)
    strip = np.full((letters.line + 2, width, 3), color, np.uint8)
    pad = letters.size // 2
    shown = letters.shortened(text, width - 2 * pad)
    letters.draw(strip, shown, pad, (strip.shape[0] + letters.ascent) // 2, WHITE)
    return np.concatenate([image, strip])


def _draw_box(image: NDArray[np.uint8], box: Place, color: Color, letters: Lettering, *, is_faint: bool) -> None:
    import cv2

    left, top, width, height = box
    weight = 1 if is_faint else max(2, letters.size // 8)
    cv2.rectangle(image, (left, top), (left + width, top + height), color, weight, cv2.LINE_AA)
