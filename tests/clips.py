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


def moving_frames(count: int, size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    """Frames of coarse noise that moves by two pixels each, `(T, H, W, 3)`: no two look alike."""
    height, width = size
    noise = np.random.default_rng(0).integers(0, 255, (height // 8 + count, width // 8 + count, 3), dtype=np.uint8)
    large = noise.repeat(8, axis=0).repeat(8, axis=1)
    return np.stack([large[2 * t : 2 * t + height, 2 * t : 2 * t + width] for t in range(count)])


def encode_with(
    path: Path,
    frames: NDArray[np.uint8],
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    ticks: Items[int] | None = None,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode with any codec; `ticks` are times in 1/25 s."""
    with av.open(str(path), "w", container_options=container_options) as output:
        stream = output.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pix_fmt
        stream.codec_context.options = options or {}
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = (ticks[i] if ticks is not None else i), Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, *, skip: int = 0, shift: int = 0, options: dict[str, str] | None = None) -> Path:
    """The same packets in another container, without the first `skip`, moved by `shift` ticks of the stream."""
    with av.open(str(source)) as given, av.open(str(target), "w", container_options=options) as output:
        stream = given.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for packet in list(given.demux(stream))[skip:]:
            if packet.size:
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copy
                output.mux(packet)
    return target


def coded_packets(path: Path) -> list[Any]:
    """The packets of the video stream in the order of decoding."""
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def damage(path: Path, *numbers: int, noise: bool = False) -> Path:
    """A copy of the file in which those packets are zeros, or end in noise from their middle on."""
    data = bytearray(path.read_bytes())
    packets = coded_packets(path)
    for number in numbers:
        start, size = packets[number].pos, packets[number].size
        if noise:
            rest = size - size // 2
            data[start + size // 2 : start + size] = np.random.default_rng(number).bytes(rest)
        else:
            data[start : start + size] = bytes(size)
    target = path.with_name(f"damaged{path.suffix}")
    target.write_bytes(data)
    return target


def cut(path: Path, part: float) -> Path:
    """A copy of the first part of the file."""
    data = path.read_bytes()
    target = path.with_name(f"cut{path.suffix}")
    target.write_bytes(data[: int(len(data) * part)])
    return target


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
