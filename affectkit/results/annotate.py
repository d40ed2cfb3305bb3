"""A video or a picture with what was found drawn into it: boxes, track numbers, best labels, and events going on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from affectkit.errors import InputError
from affectkit.results.h264 import even_sides, picture_writer
from affectkit.results.overlay import draw_overlay
from affectkit.results.picture_overlay import draw_faces
from affectkit.results.places import check_ending, check_file, check_not_input, explained, replacing
from affectkit.results.rows import Row
from affectkit.video.opening import open_video
from affectkit.video.reader import SkippedFrame, VideoFrame, read_frames

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
# Pixels of a side; OpenCV writes no more.
_LONGEST = {".png": 1_000_000, ".jpg": 65_500, ".jpeg": 65_500}

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from affectkit.results.reading import Results


def annotate_video(
    video: str | Path,
    results: Results,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write the video anew as H.264 with its table drawn into it, in constant memory; without sound.

    Frames keep the times that they have in the source. Where the table has every second frame only, say, what was found
    stays until the next one. Frames that can't be decoded are left out, so the picture before stays.

    Arguments:
        video: the file that was analyzed.
        results: its table.
        out: an `.mp4` file.
        overwrite: whether a file that is there may be replaced.
        progress: called with the number of frames done.

    Raises:
        InputError: the video or the table can't be read, or `out` can't be written, or is the video itself.
    """
    out = Path(out)
    check_ending(out, (".mp4",), "write an .mp4 file")
    check_not_input([out], [Path(video)])
    check_file(out, overwrite=overwrite)
    with open_video(Path(video)) as (_, source):
        time_base, rate = source.time_base, source.average_rate
    found = _Found(results)
    caution = results.info.caution if results.info is not None else ""
    with picture_writer(out, time_base=time_base, rate=rate) as write:
        for count, frame in enumerate(_pictures(read_frames(video)), start=1):
            events = [event for event in results.events if event.onset <= frame.pts <= event.offset]
            image, rows = even_sides(frame.image), found.at(frame.index)
            write(draw_overlay(image, frame.pts, rows, events, results.targets, caution), frame.pts)
            if progress is not None:
                progress(count)
    return out


def annotate_picture(
    picture: str | Path, results: Results, out: str | Path, *, top: int = 3, overwrite: bool = False
) -> Path:
    """Write the picture anew, upright and in 8 bits, with boxes and what was found in each face.

    Where panels would cover a face they stand beside or below the picture, which is then larger.

    Arguments:
        picture: the file that was analyzed.
        results: its table.
        out: a `.png` or `.jpg` file.
        top: how many classes of each output are named, 1 or more; fewer where there is no room.
        overwrite: whether a file that is there may be replaced.

    Raises:
        InputError: the picture or the table can't be read, or `out` can't be written, or is the picture itself.
    """
    out = Path(out)
    check_ending(out, PICTURE_ENDINGS, "write a .png or .jpg file")
    check_not_input([out], [Path(picture)])
    check_file(out, overwrite=overwrite)
    frame = next(_pictures(read_frames(picture)))
    caution = results.info.caution if results.info is not None else ""
    write_picture(draw_faces(frame.image, results, results.targets, caution=caution, top=top), out)
    return out


def write_picture(image: NDArray[np.uint8], out: Path) -> None:
    """Write `(H, W, 3)` RGB as the ending of `out` says.

    Raises:
        InputError: it can't be written, or is larger than such a file can be.
    """
    import cv2

    height, width = image.shape[:2]
    longest = _LONGEST[out.suffix]
    if max(height, width) > longest:
        remedy = "name a .png file" if max(height, width) <= _LONGEST[".png"] else "draw on a smaller picture"
        raise InputError(f"{out}: {width}x{height} pixels, and such a file has {longest} a side at most; {remedy}")
    with explained(out, "choose another folder"), replacing(out) as file:
        _, encoded = cv2.imencode(out.suffix.lower(), image[..., ::-1])
        file.write(encoded.tobytes())


class _Found:
    """The rows of the frame that was processed last, as the video goes on."""

    def __init__(self, results: Results) -> None:
        self._groups = itertools.groupby(results, key=lambda row: row.frame)
        self._shown: tuple[Row, ...] = ()
        self._number = -1
        self._coming = self._take()

    def at(self, index: int) -> tuple[Row, ...]:
        """Rows of frame `index`, or of the last one before it that the table has if there is one after it too."""
        while self._coming is not None and self._coming[0] <= index:
            self._number, self._shown = self._coming
            self._coming = self._take()
        # beyond its last row the table says nothing
        return self._shown if self._number == index or self._coming is not None else ()

    def _take(self) -> tuple[int, tuple[Row, ...]] | None:
        group = next(self._groups, None)
        return None if group is None else (group[0], tuple(group[1]))


def _pictures(frames: Iterable[VideoFrame | SkippedFrame]) -> Iterator[VideoFrame]:
    return (frame for frame in frames if isinstance(frame, VideoFrame))
