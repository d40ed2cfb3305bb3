"""Steady crops of a textured face that moves in known ways, for the tests of the spotter."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

SIZE = 160
STREAM = FrameStream(height=SIZE, width=SIZE, channels=("gray",), alignment="steady")
# Where `steady` puts the middle between the eyes, and their distance, in pixels of this crop.
MIDDLE, IOD = (79.9, 73.7), 50.3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Move:
    """A bump of skin that goes out and back: `peak` pixels along `direction`, around a place in eye distances."""

    onset: float
    offset: float
    peak: float
    places: tuple[tuple[float, float], ...]
    direction: tuple[float, float] = (0.0, -1.0)
    apex: float = 0.45

    def at(self, times: Floats) -> Floats:
        """Share of the peak."""
        u = (times - self.onset) / (self.offset - self.onset)
        rise, fall = np.clip(u / self.apex, 0, 1), np.clip((1 - u) / (1 - self.apex), 0, 1)
        return np.sin(np.pi / 2 * np.minimum(rise, fall)) ** 2


BROWS = ((-0.5, -0.3), (0.5, -0.3))
CORNERS = ((-0.45, 1.0), (0.45, 1.0))


def clip(
    times: Floats,
    moves: tuple[Move, ...] = (),
    *,
    blinks: tuple[float, ...] = (),
    head: float = 0.0,
    occluded: bool = False,
    brightness: float = 0.0,
    jumps: tuple[tuple[float, int], ...] = (),
    seed: int = 0,
) -> Sequence:
    """Frames `(1, T, 1, 160, 160)` with sensor noise of one gray level.

    Arguments:
        times: seconds of the frames.
        moves: of the skin.
        blinks: onsets, seconds; each lasts 0.2 s.
        head: amplitude of the head's sway, pixels.
        occluded: whether a plate hangs before the cheek.
        brightness: how much brighter it gets within ten seconds, as a share.
        jumps: moments at which the crop moves right by whole pixels.
        seed: of skin and noise.
    """
    rng = np.random.default_rng(seed)
    skin = _skin(rng)
    shut = skin.copy()
    for x in (-0.5, 0.5):
        center = (80 + round(x * IOD), 74)
        cv2.ellipse(skin, center, (9, 5), 0, 0, 360, 40.0, -1)
        cv2.ellipse(shut, center, (9, 1), 0, 0, 360, 70.0, -1)
    column, row = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    frames = []
    for time in times:
        shift = head * np.array([np.sin(2.2 * time), np.sin(1.3 * time)])
        x, y = column - shift[0], row - shift[1]
        u, v = np.zeros_like(x), np.zeros_like(x)
        for move in moves:
            amount = move.peak * move.at(np.array(time))
            for place in move.places:
                away = ((x - MIDDLE[0]) / IOD - place[0]) ** 2 + ((y - MIDDLE[1]) / IOD - place[1]) ** 2
                bump = amount * np.exp(-away / (2 * 0.22**2))
                u, v = u + bump * move.direction[0], v + bump * move.direction[1]
        closed = max([float(np.sin(np.pi * np.clip((time - start) / 0.2, 0, 1))) for start in blinks], default=0.0)
        face = skin + closed * (shut - skin)
        image = cv2.remap(face, np.float32(x - u), np.float32(y - v), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        if occluded:
            image[88:124, 96:132] = 90.0
        image = np.roll(image, -sum(pixels for moment, pixels in jumps if time >= moment), axis=1)
        image = image * (1 + brightness * time / 10) + rng.normal(0, 1, image.shape)
        frames.append(np.clip(image, 0, 255).astype(np.float32) / 255)
    values = torch.from_numpy(np.stack(frames)).reshape(1, len(times), 1, SIZE, SIZE)
    return Sequence.of(values, times=torch.from_numpy(times)[None])


def _skin(rng: np.random.Generator) -> NDArray[np.float32]:
    skin = np.full((SIZE, SIZE), 140.0, np.float32)
    for scale, contrast in ((1.5, 8.0), (4.0, 16.0)):
        noise = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)), (0, 0), scale)
        skin += np.float32(contrast / noise.std()) * noise.astype(np.float32)
    return skin
