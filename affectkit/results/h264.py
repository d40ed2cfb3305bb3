"""Pictures to an H.264 file at times of their own, one at a time; whole or not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.results.places import explained, replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Writer = Callable[["NDArray[np.uint8]", float], None]


@contextmanager
def picture_writer(out: Path, *, time_base: Fraction, rate: Fraction | None, crf: int = 20) -> Iterator[Writer]:
    """A function that takes RGB pictures `(H, W, 3)` of one size with their seconds, in order.

    Arguments:
        out: an `.mp4` file, which is there once the block has ended without an error.
        time_base: seconds per tick; times are rounded to it, and one that is not after the last by a tick is one tick
            after it.
        rate: pictures per second, about; None where that is not known.
        crf: quality, less is better and larger; the encoder mpeg4, where there is no libx264, has its own.

    Raises:
        InputError: the file can't be written.
    """
    import av

    with explained(out, "choose another folder"), replacing(out) as file, av.open(file, "w", format="mp4") as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream: Any = None
        last = None

        def write(picture: NDArray[np.uint8], pts: float) -> None:
            nonlocal stream, last
            picture = even_sides(picture)
            if stream is None:
                stream = container.add_stream(codec, rate=rate or 25)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = stream.time_base = time_base
                # no reordered frames: they would shift the times in the container
                options = (
                    {"bf": "0", "crf": str(crf), "preset": "veryfast"} if codec == "libx264" else {"bf": "0", "q": "4"}
                )
                stream.codec_context.options = options
            encoded = av.VideoFrame.from_ndarray(picture, format="rgb24")
            ticks = round(pts / time_base)
            # two frames at one time are legal in a source, and not in an mp4
            encoded.pts = last = ticks if last is None else max(ticks, last + 1)
            encoded.time_base = time_base
            container.mux(stream.encode(encoded))

        yield write
        if stream is not None:
            container.mux(stream.encode(None))


def even_sides(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy with even sides, since the codec has one color value for 2 x 2 pixels; edges are repeated."""
    import numpy as np

    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
