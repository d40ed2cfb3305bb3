"""Optical flow at the motions of micro-expressions: run `python benchmarks/flow.py`.

Pairs of pictures whose displacement is known exactly, with at most 0.1 to 2 pixels of motion: a synthetic face, 1/f
noise as natural pictures have it, and, where ../shared is, a photograph of a face; moved by smooth random fields and by
local bumps such as action units make; with sensor noise of one gray level, in 8 bits. Printed is the mean endpoint
error in pixels, and the median time per pair on one thread, methods taking turns.

Bars: `tv-l1` errs at most 3 % more than OpenCV's DualTVL1 as it comes at every magnitude, in at most 1/50 of its time,
and less than no flow at all everywhere.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affectkit.data.synthetic import FaceIdentity, render_face
from affectkit.motion.opencv_flow_net import PairFlow, opencv_flow
from affectkit.ops.clg import clg
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.ops.tv_l1 import tv_l1

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SIZES, LARGEST = (224, 128), (0.1, 0.25, 0.5, 1.0, 2.0)
SEEDS, NOISE = 2, 1.0
WORSE, FASTER = 1.03, 50
# The texture is known this many times finer than the pictures, so that values between its pixels are exact enough.
FINE = 4
# Of its blur, pixels of the pictures: that of a lens.
BLUR = 0.6
REFERENCE, OURS, NOTHING = "dual-tv-l1", "tv-l1", "no flow"

Array = NDArray[np.float64]


def main() -> int:
    """Print a table per size; 1 if a bar is missed."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    methods: dict[str, PairFlow] = {
        NOTHING: lambda a, b: a.new_zeros(len(a), 2, *a.shape[1:]),
        REFERENCE: opencv_flow("dual-tv-l1"),
        "farneback": opencv_flow("farneback"),
        "lucas-kanade": lucas_kanade,
        "combined-local-global": clg,
        OURS: tv_l1,
    }
    held = [_table(size, methods) for size in SIZES]
    print(
        f"\nbars: error up to {WORSE} times that of {REFERENCE}, time 1/{FASTER}; {'held' if all(held) else 'MISSED'}"
    )
    return int(not all(held))


def _table(size: int, methods: dict[str, PairFlow]) -> bool:
    textures = _textures(size)
    errors: dict[str, dict[float, list[float]]] = {name: defaultdict(list) for name in methods}
    times: dict[str, list[float]] = defaultdict(list)
    blank = torch.zeros(1, size, size)
    for flow in methods.values():
        flow(blank, blank)
    for largest in LARGEST:
        for texture in textures.values():
            for seed in range(2 * SEEDS):
                first, second, truth = _pair(texture, size, largest, seed)
                for name, flow in methods.items():
                    started = time.perf_counter()
                    found = flow(first, second)
                    times[name].append(time.perf_counter() - started)
                    errors[name][largest].append(float((found[0] - truth).norm(dim=0).mean()))
    print(f"\n{size}x{size}: {', '.join(textures)}; {2 * SEEDS} fields each; mean endpoint error, pixels\n")
    print(f"{'':21}" + "".join(f"{f'{largest:g} px':>9}" for largest in LARGEST) + f"{'time, ms':>11}{'':>8}")
    means = {name: [statistics.fmean(of[largest]) for largest in LARGEST] for name, of in errors.items()}
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, row in means.items():
        share = f"1/{medians[REFERENCE] / medians[name]:.0f}" if name not in (NOTHING, REFERENCE) else ""
        print(f"{name:21}" + "".join(f"{error:9.4f}" for error in row) + f"{medians[name] * 1000:11.1f}{share:>8}")
    ours, reference, nothing = means[OURS], means[REFERENCE], means[NOTHING]
    print(f"{'  against it':21}" + "".join(f"{a / b - 1:+9.1%}" for a, b in zip(ours, reference, strict=True)))
    is_good = all(a <= WORSE * b and a < c for a, b, c in zip(ours, reference, nothing, strict=True))
    return is_good and medians[OURS] * FASTER <= medians[REFERENCE]


def _textures(size: int) -> dict[str, Array]:
    """Gray levels `(FINE size, FINE size)`, blurred as by a lens."""
    fine = FINE * size
    face = render_face(FaceIdentity.from_seed(0), size=(fine, fine), iod=0.35 * fine)
    textures = {"synthetic face": cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), "1/f noise": _pink(fine)}
    photograph = cv2.imread(str(SHARED / "media" / "multi_face.jpg"), cv2.IMREAD_GRAYSCALE)
    if photograph is None:
        print(f"no {SHARED}: without the photograph")
    else:
        faces = photograph[60:508, 380:828]
        textures["photograph"] = cv2.resize(faces, (fine, fine), interpolation=cv2.INTER_CUBIC)
    return {name: cv2.GaussianBlur(values.astype(np.float64), (0, 0), BLUR * FINE) for name, values in textures.items()}


def _pink(size: int) -> Array:
    """Noise whose amplitude falls with the frequency to the power of 1.1, as in photographs, `(size, size)`."""
    rng = np.random.default_rng(5)
    # No wave shorter than two pixels of the pictures.
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    amplitude = np.where(frequencies > 0.5 / FINE, 0.0, 1 / np.maximum(frequencies, 1 / size) ** 1.1)
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * amplitude).real
    levels: Array = np.clip((noise - noise.mean()) / noise.std() * 45 + 128, 0, 255)
    return levels


def _pair(texture: Array, size: int, largest: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two pictures `(1, size, size)` in [0, 1], and the flow `(2, size, size)` from the first to the second."""
    back = _bumps(size, seed) if seed % 2 else _smooth_field(size, seed)
    back *= largest / np.hypot(*back).max()
    y, x = np.mgrid[:size, :size].astype(np.float64)
    # What is at x in the second picture was at x - back(x): so flow(x) = back(x + flow(x)).
    flow = back.copy()
    for _ in range(30):
        flow = np.stack([_sample(part, x + flow[0], y + flow[1]) for part in back])
    rng = np.random.default_rng([seed, 999])
    pictures = [_sample(texture, FINE * (x - dx), FINE * (y - dy)) for dx, dy in ((0.0, 0.0), (back[0], back[1]))]
    noisy = [np.clip(np.round(picture + NOISE * rng.standard_normal((size, size))), 0, 255) for picture in pictures]
    first, second = (torch.from_numpy(picture / 255).float()[None] for picture in noisy)
    return first, second, torch.from_numpy(flow).float()


def _sample(values: Array, x: Array, y: Array) -> Array:
    """Bicubic."""
    # By hand: OpenCV rounds places to 1/32 of a pixel.
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    sampled = np.zeros_like(x)
    for down in (-1, 0, 1, 2):
        for right in (-1, 0, 1, 2):
            weight = _keys(y - top - down) * _keys(x - left - right)
            rows, columns = np.clip(top + down, 0, len(values) - 1), np.clip(left + right, 0, values.shape[1] - 1)
            sampled += weight * values[rows, columns]
    return sampled


def _keys(distance: Array) -> Array:
    """Keys' kernel (1981), a = -0.5: exact for parabolas."""
    d = np.abs(distance)
    weights: Array = np.where(d <= 1, (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2)
    return np.where(d < 2, weights, 0.0)


def _smooth_field(size: int, seed: int) -> Array:
    rng = np.random.default_rng([seed, 1])
    sigma = 18 * size / 224
    return np.stack([cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma) for _ in range(2)])


def _bumps(size: int, seed: int) -> Array:
    """Five places that move, each in a direction of its own, before a still background."""
    rng = np.random.default_rng([seed, 2])
    y, x = np.mgrid[:size, :size]
    field = np.zeros((2, size, size))
    for _ in range(5):
        center_x, center_y = rng.uniform(0.2, 0.8, 2) * size
        radius, angle = rng.uniform(10, 22) * size / 224, rng.uniform(0, 2 * np.pi)
        bump = np.exp(-((x - center_x) ** 2 + (y - center_y) ** 2) / (2 * radius**2))
        field += np.array([np.cos(angle), np.sin(angle)])[:, None, None] * bump
    return field


if __name__ == "__main__":
    sys.exit(main())
