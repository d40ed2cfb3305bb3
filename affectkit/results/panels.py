"""A panel: what was found in one face, as lines with bars, on a ground on which they can be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affectkit.results.findings import findings_of
from affectkit.results.lettering import Color, Lettering
from affectkit.results.rows import Row

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WHITE, DARK, DIM = (255, 255, 255), (24, 24, 24), (176, 176, 176)
# Of the color of a face in its bars, so that white text can be read on them.
_BAR, _GROUND = 0.55, 0.85


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a panel.

    Attributes:
        text: at the left.
        value: at the right; empty for none.
        share: length of the bar, in [0, 1]; None for no bar.
        is_heading: whether it names what is below it.
    """

    text: str
    value: str = ""
    share: float | None = None
    is_heading: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines at one face, in one size.

    Attributes:
        lines: from the top.
        letters: what they are written with.
        color: of the face.
    """

    lines: tuple[Line, ...]
    letters: Lettering
    color: Color

    @property
    def pad(self) -> int:
        """Pixels around the text."""
        return max(3, round(0.45 * self.letters.size))

    @property
    def width(self) -> int:
        """Pixels."""
        gap = self.letters.size
        widths = (
            self.letters.width(line.text) + (gap + self.letters.width(line.value) if line.value else 0)
            for line in self.lines
        )
        return max(widths) + 3 * self.pad

    @property
    def height(self) -> int:
        """Pixels."""
        return len(self.lines) * self.letters.line + self.pad

    def draw(self, image: NDArray[np.uint8], left: int, top: int) -> None:
        """Draw it into `image`, `(H, W, 3)` uint8."""
        import numpy as np

        pad, step, width = self.pad, self.letters.line, self.width
        stripe = max(2, pad // 2)
        part = image[top : top + self.height, left : left + width]
        part[:] = (part * (1 - _GROUND) + np.array(DARK) * _GROUND).astype(np.uint8)
        part[:, :stripe] = self.color
        for number, line in enumerate(self.lines):
            y = pad // 2 + number * step
            if line.share is not None:
                full = width - stripe - pad
                bar = part[y + 1 : y + step - 1, stripe + pad // 2 : stripe + pad // 2 + round(line.share * full)]
                bar[:] = (bar * (1 - _BAR) + np.array(self.color) * _BAR).astype(np.uint8)
            baseline = y + (step + self.letters.ascent) // 2
            self.letters.draw(part, line.text, stripe + pad, baseline, DIM if line.is_heading else WHITE)
            if line.value:
                self.letters.draw(part, line.value, width - pad - self.letters.width(line.value), baseline, WHITE)


def lines_of(row: Row, targets: tuple[str, ...], top: int, title: str = "") -> tuple[Line, ...]:
    """What a panel says of a face: a line per class, and a heading where there are several outputs of a kind.

    How far the members of an ensemble agree is left to the table.

    Arguments:
        row: of the face.
        targets: prediction columns of the table.
        top: how many classes and units of each output.
        title: the first line; empty for none.
    """
    findings = [finding for finding in findings_of(row, targets, top) if finding.kind != "agreement"]
    kinds = [finding.kind for finding in findings]
    lines = [Line(text=title)] if title else []
    for finding in findings:
        # valence and units are known by their names, and so are classes that there is one set of
        if kinds.count(finding.kind) > 1:
            lines.append(Line(text=finding.output, is_heading=True))
        if finding.kind == "classes":
            lines.extend(Line(text=name, value=f"{value:.2f}", share=value) for name, value in finding.entries)
        else:
            lines.extend(Line(text=text) for text in finding.texts)
    return tuple(lines)


def flowed(panels: Iterable[Panel], room: int, gap: int, *, is_row: bool) -> tuple[list[tuple[int, int]], int, int]:
    """Panels side by side in rows as wide as `room`, or below each other in columns as high as that.

    Returns:
        Left and top of each, and the width and height of all of them with `gap` around each.
    """
    places: list[tuple[int, int]] = []
    # along the row or column, and across it
    along, across, thickness, longest = gap, gap, 0, 0
    for panel in panels:
        length, depth = (panel.width, panel.height) if is_row else (panel.height, panel.width)
        if along > gap and along + length + gap > room:
            along, across, thickness = gap, across + thickness + gap, 0
        places.append((along, across) if is_row else (across, along))
        along, thickness = along + length + gap, max(thickness, depth)
        longest = max(longest, along)
    total = across + thickness + gap
    return places, *((longest, total) if is_row else (total, longest))
