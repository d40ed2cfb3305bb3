"""Frames to an H.264 file with exact times, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectkit.data.patterns import TICKS
from affectkit.errors import MissingDependencyError


def encode(
    path: str | Path, frames: Iterable[NDArray[np.uint8]], times: Iterable[float], size: tuple[int, int], crf: int
) -> Path:
    """Write `(H, W, 3)` RGB frames as H.264 whose timestamps are `times`, rounded to 1/60000 s; in constant memory.

    The same frames give the same bytes with the same encoder.

    Raises:
        MissingDependencyError: PyAV comes without the encoder libx264.
    """
    import av

    if "libx264" not in av.codecs_available:
        raise MissingDependencyError("av: no libx264 in it; install PyAV from its wheels, which have it")
    path = Path(path)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, TICKS)
        # One thread: what several write depends on how many there are.
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"crf": str(crf), "preset": "medium", "bf": "0"}
        for picture, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        # The encoder holds frames back; this asks for the rest.
        container.mux(stream.encode(None))
    return path
