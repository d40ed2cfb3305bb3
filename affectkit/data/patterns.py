"""Generated clips with exact truth: smooth random textures that move by known sub-pixel displacement. Not faces.

A texture is a sum of cosines of the position `p`, so that it can be drawn anywhere without interpolation:

    I(p) = 1/2 + sum_i a_i cos(2 pi f_i . p + phi_i)

Motion takes the texture's point q to `c + M(s(t)) (q - c)` with the centre c and the progress s from 0 to 1:
`M = 1 + a s` to expand, `1 - a s` to contract, and the rotation by `a s` to rotate. A clip drawn at t is therefore
`I(c + M(s(t))^-1 (p - c))`, exact at every sub-pixel displacement.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence as Items
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError

Motion = Literal["expand", "contract", "rotate"]
MOTIONS: tuple[Motion, ...] = ("expand", "contract", "rotate")
# Ticks per second of the clips that are written: whole for all common rates and for milliseconds.
TICKS = 60_000
_WAVES = 24


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A moving texture.

    Attributes:
        motion: what it does.
        texture: seed of the texture; other seeds give other textures.
        amount: a, how far it goes: the change of size, or the angle in radians.
        size: height and width, pixels.
        noise: standard deviation of the noise in each frame, in intensities.
    """

    motion: Motion
    texture: int
    amount: float = 0.2
    size: int = 40
    noise: float = 0.0


def progress(times: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    """s(t) from 0 at time 0 to 1 at `duration`, slow at both ends: `(1 - cos(pi t / duration)) / 2`."""
    share: NDArray[np.float64] = (1.0 - np.cos(_angle(times, duration))) / 2.0
    return share


def speed(times: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    """ds/dt as a share of its peak, in [0, 1]: `sin(pi t / duration)`."""
    share: NDArray[np.float64] = np.sin(_angle(times, duration))
    return share


def displacement(pattern: Pattern, s: float) -> NDArray[np.float64]:
    """Where each pixel of the unmoved picture has gone at progress `s`, `(2, H, W)`: x to the right, y down, pixels."""
    offset = _offsets(pattern.size)
    moved: NDArray[np.float64] = np.einsum("ij,jhw->ihw", _matrix(pattern, s), offset) - offset
    return moved


def render(pattern: Pattern, s: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The clip at each progress of `s` `(T,)`, as `(T, H, W, 3)` uint8; the same for the same arguments."""
    rng = np.random.default_rng(pattern.texture)
    # Wavelengths from 7 pixels up: nothing that the pixel grid could not show.
    frequency = rng.uniform(0.03, 0.14, _WAVES)
    angle = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
    waves = np.stack([frequency * np.cos(angle), frequency * np.sin(angle)])
    phase = rng.uniform(0.0, 2.0 * np.pi, _WAVES)
    # By the square root: the contrast (a deviation of roughly a quarter) does not depend on the number of waves.
    amplitude = rng.uniform(0.5, 1.0, (3, _WAVES)) * 0.16 * np.sqrt(8.0 / _WAVES)
    offset = _offsets(pattern.size)
    frames = np.empty((len(s), pattern.size, pattern.size, 3), np.uint8)
    for t, value in enumerate(s):
        # The inverse: a pixel asks from where in the texture it came.
        source = np.einsum("ij,jhw->ihw", np.linalg.inv(_matrix(pattern, float(value))), offset)
        cosines = np.cos(2.0 * np.pi * np.einsum("iw,ihk->whk", waves, source) + phase[:, None, None])
        picture = 0.5 + np.einsum("cw,whk->hkc", amplitude, cosines)
        # Drawn after the texture, which is therefore the same with and without noise.
        picture += rng.normal(0.0, pattern.noise, picture.shape) if pattern.noise else 0.0
        # The cast to uint8 truncates, which would darken by half a level, and wraps beyond 255.
        frames[t] = np.clip(np.round(picture * 255.0), 0.0, 255.0)
    return frames


def write_clip(path: str | Path, frames: NDArray[np.uint8], times: Items[float]) -> Path:
    """Write `(T, H, W, 3)` RGB frames as a video whose timestamps are `times`, rounded to 1/60000 s.

    Raises:
        InputError: there is not one time per frame, or the times do not ascend from 0 or later; or a side is odd.
    """
    import av

    path = Path(path)
    ticks = [round(float(time) * TICKS) for time in times]
    if len(ticks) != len(frames):
        raise InputError(f"{path}: {len(ticks)} times for {len(frames)} frames; give one per frame")
    # On the rounded ticks: times that are closer than a tick would share one.
    if not ticks or ticks[0] < 0 or any(a >= b for a, b in itertools.pairwise(ticks)):
        raise InputError(f"{path}: the times do not ascend; give seconds, from 0 or later, each above the one before")
    height, width = frames.shape[1:3]
    # yuv420p has one color value for 2 x 2 pixels.
    if height % 2 or width % 2:
        raise InputError(f"{path}: frames of {width}x{height}; the codec takes even sides only")
    with av.open(str(path), "w") as container:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, TICKS)
        stream.bit_rate = 4_000_000
        if codec == "libx264":
            # No reordered frames, and few losses: small motions must survive.
            stream.codec_context.options = {"bf": "0", "crf": "10"}
        for picture, tick in zip(frames, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, TICKS)
            container.mux(stream.encode(frame))
        # The encoder holds frames back; this asks for the rest.
        container.mux(stream.encode(None))
    return path


def _angle(times: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    return np.pi * np.clip(times / duration, 0.0, 1.0)


def _matrix(pattern: Pattern, s: float) -> NDArray[np.float64]:
    amount = pattern.amount * s
    if pattern.motion == "rotate":
        return np.array([[np.cos(amount), -np.sin(amount)], [np.sin(amount), np.cos(amount)]])
    scale = 1.0 + amount if pattern.motion == "expand" else 1.0 - amount
    return np.eye(2) * scale


def _offsets(size: int) -> NDArray[np.float64]:
    """Position of each pixel from the centre, `(2, H, W)`."""
    # The centre of an even size lies between pixels.
    axis = np.arange(size) - (size - 1) / 2.0
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([x, y])
