"""A contact sheet: a thumbnail per picture of a table, with its boxes, its name and what was found, page by page.

A page is in memory, and of the pictures one at a time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence as Items
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.errors import InputError
from affectkit.results.annotate import PICTURE_ENDINGS, write_picture
from affectkit.results.colors import TRACK_COLORS
from affectkit.results.findings import findings_of
from affectkit.results.lettering import Color, Lettering
from affectkit.results.overlay import place_of, rgb_of
from affectkit.results.places import check_ending, check_file, check_not_input
from affectkit.results.reading import Results
from affectkit.results.rows import PICTURE_COLUMNS, Row
from affectkit.video.reader import VideoFrame, read_frames

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS, ROWS = 4, 5
PER_PAGE = COLUMNS * ROWS
# Pixels of a thumbnail, of what is between cells, and of the heading.
_WIDE, _HIGH, _GAP, _HEAD = 300, 225, 18, 44
_FACES = 3
_NO_TEXT = re.compile(r"\\u(dc[89a-f][0-9a-f])")
_PAPER, _INK, _GRAY, _RED, _WELL = (255, 255, 255), (28, 28, 28), (110, 110, 110), (176, 0, 32), (236, 236, 236)


def sheet_paths(out: str | Path, pictures: int) -> tuple[Path, ...]:
    """The files of a sheet of so many pictures: `out` itself, or `sheet-1.png`, `sheet-2.png`, ... for `sheet.png`."""
    out = Path(out)
    pages = -(-pictures // PER_PAGE)
    return (out,) if pages < 2 else tuple(out.with_name(f"{out.stem}-{i + 1}{out.suffix}") for i in range(pages))


def check_sheet(out: str | Path, pictures: Items[Path], *, overwrite: bool) -> tuple[Path, ...]:
    """The files of a sheet of these pictures, if they can be written.

    Raises:
        InputError: the ending is another, a file is there, or its folder is not; or it is one of the pictures.
    """
    check_ending(Path(out), PICTURE_ENDINGS, "write a .png or .jpg file")
    paths = sheet_paths(out, len(pictures))
    check_not_input(paths, pictures)
    for path in paths:
        check_file(path, overwrite=overwrite)
    return paths


def write_contact_sheet(
    results: Results, out: str | Path, *, folder: str | Path, overwrite: bool = False
) -> tuple[Path, ...]:
    """Draw a table of pictures: 20 on a page, in the table's order.

    A picture that could not be read is a tile that says why; one without a face has its picture and says so.

    Arguments:
        results: what `analyze_pictures` gave.
        out: a `.png` or `.jpg` file; with several pages `sheet-1.png`, `sheet-2.png`, ... for `sheet.png`.
        folder: that the table's file names are below.
        overwrite: whether files that are there may be replaced.

    Returns:
        The files, in order.

    Raises:
        InputError: the table is empty or none of pictures, or `out` can't be written, or is one of the pictures.
    """
    if results.columns[: len(PICTURE_COLUMNS)] != PICTURE_COLUMNS:
        raise InputError(
            f"{results.path or 'results'}: is no table of pictures; give one that analyze_pictures wrote, or draw a "
            "video's timeline"
        )
    files = [_path(rows, Path(folder)) for rows in _by_picture(results)]
    if not files:
        raise InputError(f"{results.path or 'results'}: hold no rows; there is nothing to draw")
    paths = check_sheet(out, files, overwrite=overwrite)
    pictures = _by_picture(results)
    for number, path in enumerate(paths):
        page = f"page {number + 1} of {len(paths)}" if len(paths) > 1 else ""
        write_picture(_page(list(itertools.islice(pictures, PER_PAGE)), results, Path(folder), page), path)
    return paths


def _by_picture(results: Results) -> Iterator[list[Row]]:
    return (list(rows) for _, rows in itertools.groupby(results, key=lambda row: row.frame))


def _page(pictures: list[list[Row]], results: Results, folder: Path, page: str) -> NDArray[np.uint8]:
    import numpy as np

    small, bold = Lettering(13), Lettering(14, is_bold=True)
    tiles = [_texts(rows, results.targets) for rows in pictures]
    rows_of_tiles = [tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
    heights = [_HIGH + bold.line + max(map(len, row)) * small.line + _GAP for row in rows_of_tiles]
    canvas = np.full((_HEAD + sum(heights) + _GAP, COLUMNS * (_WIDE + _GAP) + _GAP, 3), _PAPER, np.uint8)
    _heading(canvas, results, page)
    for number, (rows, texts) in enumerate(zip(pictures, tiles, strict=True)):
        left = _GAP + number % COLUMNS * (_WIDE + _GAP)
        top = _HEAD + sum(heights[: number // COLUMNS])
        canvas[top : top + _HIGH, left : left + _WIDE] = _thumbnail(rows, folder)
        y = top + _HIGH + bold.line
        name = f"{rows[0].frame}  {rows[0].file or ''}"
        bold.draw(canvas, bold.shortened(name, _WIDE), left, y - 4, _INK)
        for line, (text, color) in enumerate(texts):
            small.draw(canvas, small.shortened(text, _WIDE), left, y + (line + 1) * small.line - 4, color)
    return canvas


def _heading(canvas: NDArray[np.uint8], results: Results, page: str) -> None:
    info = results.info
    letters, baseline = Lettering(15), _HEAD - 18
    caution = "" if info is None else "; ".join(filter(None, [info.caution, "" if info.complete else "not complete"]))
    parts = ([info.source, f"by {info.pipeline}"] if info is not None else []) + ([page] if page else [])
    width = canvas.shape[1] - 2 * _GAP
    shown = letters.shortened(caution, width // 2)
    letters.draw(canvas, shown, _GAP + width - letters.width(shown), baseline, _RED)
    room = width - letters.width(shown) - _GAP
    letters.draw(canvas, letters.shortened("  ·  ".join(parts), room), _GAP, baseline, _GRAY)


def _texts(rows: list[Row], targets: tuple[str, ...]) -> list[tuple[str, Color]]:
    """What is written below a name: the best of each output, for the first faces; or that there is none."""
    if rows[0].status == "skipped":
        return [("not read", _RED)]
    faces = [row for row in rows if row.status != "no_face"]
    if not faces:
        return [("no face found", _RED)]
    lines = []
    for row in faces[:_FACES]:
        found = [one for one in findings_of(row, targets, 1) if one.kind != "agreement"]
        words = [text for finding in found for text in finding.texts]
        who = f"face {row.track}: " if len(faces) > 1 else ""
        lines.append((f"{who}{', '.join(words) or 'found'}", _INK))
    more = len(faces) - _FACES
    return [*lines, *([(f"and {more} more faces" if more > 1 else "and 1 more face", _GRAY)] if more > 0 else [])]


def _thumbnail(rows: list[Row], folder: Path) -> NDArray[np.uint8]:
    """The picture within a tile, with its boxes; or a tile with the reason why it is not there."""
    import cv2
    import numpy as np

    tile = np.full((_HIGH, _WIDE, 3), _WELL, np.uint8)
    image, reason = None, rows[0].reason or ""
    if rows[0].status != "skipped":
        image, reason = _read(_path(rows, folder))
    if image is None:
        _wrap(tile, reason)
        return tile
    height, width = image.shape[:2]
    scale = min(_WIDE / width, _HIGH / height)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    letters = Lettering(12)
    faces = [(row, place) for row in rows if (place := place_of(row)) is not None]
    for row, place in faces:
        left, top, wide, high = (round(value * scale) for value in place)
        color = rgb_of(TRACK_COLORS[(row.track or 0) % len(TRACK_COLORS)])
        cv2.rectangle(small, (left, top), (left + wide, top + high), color, 2, cv2.LINE_AA)
        if len(faces) > 1:
            x, y = max(left, 0), max(top - letters.line, 0)
            small[y : y + letters.line, x : x + letters.width(str(row.track)) + 6] = color
            letters.draw(small, str(row.track), x + 3, y + (letters.line + letters.ascent) // 2, _PAPER)
    y, x = (_HIGH - size[1]) // 2, (_WIDE - size[0]) // 2
    tile[y : y + size[1], x : x + size[0]] = small
    return tile


def _path(rows: list[Row], folder: Path) -> Path:
    path = folder / (rows[0].file or "")
    # a table has `\udcff` for a byte of a name that is no text
    return path if path.exists() else Path(_NO_TEXT.sub(lambda found: chr(int(found[1], 16)), str(path)))


def _read(path: Path) -> tuple[NDArray[np.uint8] | None, str]:
    try:
        frame, *_ = read_frames(path)
    except InputError as error:
        return None, str(error).removeprefix(f"{path}: ")
    return (frame.image, "") if isinstance(frame, VideoFrame) else (None, frame.reason)


def _wrap(tile: NDArray[np.uint8], text: str) -> None:
    """Write words into a tile, line by line from its middle."""
    letters = Lettering(13)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if letters.width(longer) <= _WIDE - 2 * _GAP else [*lines, word]
    lines = lines[: (_HIGH - _GAP) // letters.line]
    top = (_HIGH - len(lines) * letters.line) // 2
    for number, line in enumerate(lines):
        shown = letters.shortened(line, _WIDE - 2 * _GAP)
        letters.draw(tile, shown, _GAP, top + number * letters.line + letters.ascent, _RED)
