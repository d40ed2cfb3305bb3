"""Video files for the tests, encoded on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence as Items
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from affectkit.data.patterns import write_clip


def gray_frames(levels: Iterable[int], size: tuple[int, int] = (32, 48)) -> NDArray[np.uint8]:
    """One flat frame per level, `(T, H, W, 3)`."""
    return np.stack([np.full((*size, 3), level, np.uint8) for level in levels])


def write_levels(path: Path, levels: Items[int], times: Items[float] | None = None) -> Path:
    """A clip of flat frames, at 25 per second unless times are given."""
    return write_clip(path, gray_frames(levels), times if times is not None else [i / 25 for i in range(len(levels))])


def encode(
    path: Path, frames: NDArray[np.uint8], *, container: str | None = None, rotation: int = 0, mirrored: bool = False
) -> Path:
    """Encode at 25 frames per second into any container, with a display matrix."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.codec_context.options = {"bf": "0", "crf": "10"}
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """A tenth of a second of silence, without pictures."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=44_100)
        samples = np.zeros((1, 4410), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def container_times(path: Path) -> list[float]:
    """Every frame's presentation time, as PyAV says it."""
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in _video(container)]


def _video(container: Any) -> Iterator[Any]:
    yield from container.decode(video=0)
