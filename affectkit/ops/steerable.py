"""The complex steerable pyramid, by FFT: an image as local waves, each with an amplitude and a phase.

Simoncelli and Freeman, "The steerable pyramid", ICIP 1995; complex as in Portilla and Simoncelli, IJCV 40(1), 2000.
With r and a the length and the angle of a frequency, level s = 0, 1, ... and direction k of K has the window

    W(r, a) = L_s(r) sqrt(1 - L_(s+1)(r)^2) A_k(a)
    L_s(r) = cos(pi/2 log2(r 2^(s+1) / pi)),  1 below r = pi / 2^(s+1),  0 from pi / 2^s on
    A_k(a) = 2^(K-1) (K-1)! / sqrt(K (2K-2)!) cos(a - pi k / K)^(K-1),  0 on the other half-plane

so level s is for waves of about 4 * 2^s pixels. The squares of all windows and their mirror images sum to 1 between the
waves of 4 pixels and those that the coarsest level still has in full: what lies there is put together again exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def split_waves(images: Tensor, windows: list[Tensor]) -> list[Tensor]:
    """The waves of `(N, H, W)`, which wrap around at the border: per level `(N, K, H / 2^s, W / 2^s)` complex.

    Arguments:
        images: sides are multiples of `2**len(windows)`.
        windows: of every level, finest first, as `make_windows` gives them for this size.
    """
    spectrum = torch.fft.fft2(images)
    found = []
    for window in windows:
        height, width = window.shape[-2:]
        # the inverse divides by the number of pixels, which is that of the coarser grid
        scale = height * width / (images.shape[-2] * images.shape[-1])
        found.append(torch.fft.ifft2(scale * _corners(spectrum, height, width).unsqueeze(-3) * window))
    return found


def join_waves(waves: list[Tensor], windows: list[Tensor]) -> Tensor:
    """`(N, H, W)`, the image that these waves make."""
    height, width = waves[0].shape[-2:]
    spectrum = waves[0].new_zeros(len(waves[0]), height, width)
    for part, window in zip(waves, windows, strict=True):
        scale = height * width / (window.shape[-2] * window.shape[-1])
        spectrum = spectrum + scale * _placed((torch.fft.fft2(part) * window).sum(dim=-3), height, width)
    # the mirrored half-plane of a real image is the conjugate, which doubles the real part
    image: Tensor = torch.fft.ifft2(spectrum).real
    return 2 * image


def make_windows(size: tuple[int, int], level: int, directions: int) -> Tensor:
    """W of a level for images of that size, `(K, H / 2^s, W / 2^s)` float64, in the order of `torch.fft.fft2`."""
    y, x = (2 * math.pi * torch.fft.fftfreq(side >> level, dtype=torch.float64) / 2**level for side in size)
    length = torch.hypot(y[:, None], x)
    radial = _low(length, level) * (1 - _low(length, level + 1).square()).sqrt()
    angle = torch.atan2(y[:, None], x)
    toward = [torch.cos(angle - math.pi * k / directions).clamp(min=0) for k in range(directions)]
    order = directions - 1
    scale = 2**order * math.factorial(order) / math.sqrt(directions * math.factorial(2 * order))
    window: Tensor = scale * radial * torch.stack(toward) ** order
    return window


def split_waves_ref(image: Tensor, levels: int, directions: int) -> list[Tensor]:
    """The slow twin, of one image `(H, W)` float64: all waves of the image, windowed and summed pixel by pixel."""
    height, width = image.shape
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in image.shape)
    forward = [torch.exp(-2j * math.pi * torch.outer(n, n) / len(n)) for n in (rows, columns)]
    spectrum = forward[0] @ image.to(torch.complex128) @ forward[1]
    found = []
    for level in range(levels):
        full = make_windows_ref((height, width), level, directions)
        step = 2**level
        bands = image.new_zeros(directions, height // step, width // step, dtype=torch.complex128)
        for y in range(height // step):
            for x in range(width // step):
                phase = torch.outer(
                    torch.exp(2j * math.pi * rows * (y * step) / height),
                    torch.exp(2j * math.pi * columns * (x * step) / width),
                )
                bands[:, y, x] = (full * spectrum * phase).sum(dim=(1, 2)) / (height * width)
        found.append(bands)
    return found


def make_windows_ref(size: tuple[int, int], level: int, directions: int) -> Tensor:
    """W of one level on the grid of the whole image, `(K, H, W)`, frequency by frequency."""
    height, width = size
    norm = 2 ** (directions - 1) * math.factorial(directions - 1)
    norm /= math.sqrt(directions * math.factorial(2 * directions - 2))
    found = torch.zeros(directions, height, width, dtype=torch.float64)
    for i in range(height):
        for j in range(width):
            y, x = (2 * math.pi * ((n + side // 2) % side - side // 2) / side for n, side in ((i, height), (j, width)))
            r, a = math.hypot(x, y), math.atan2(y, x)
            for k in range(directions):
                beside = math.remainder(a - math.pi * k / directions, 2 * math.pi)
                if r == 0 or abs(beside) >= math.pi / 2:
                    continue
                outer, inner = (math.log2(r * 2 ** (s + 1) / math.pi) for s in (level, level + 1))
                outer, inner = (math.cos(math.pi / 2 * min(max(octaves, 0), 1)) for octaves in (outer, inner))
                found[k, i, j] = outer * math.sqrt(1 - inner**2) * norm * math.cos(beside) ** (directions - 1)
    return found


def _low(length: Tensor, level: int) -> Tensor:
    octaves = torch.log2(length.clamp(min=1e-12) * 2 ** (level + 1) / math.pi)
    return torch.cos(math.pi / 2 * octaves.clamp(0, 1))


def _corners(spectrum: Tensor, height: int, width: int) -> Tensor:
    """The lowest frequencies, which stand in the four corners: `(..., height, width)`, both even."""
    rows = torch.cat([spectrum[..., : height // 2, :], spectrum[..., -(height // 2) :, :]], dim=-2)
    return torch.cat([rows[..., : width // 2], rows[..., -(width // 2) :]], dim=-1)


def _placed(part: Tensor, height: int, width: int) -> Tensor:
    """The opposite: zeros for all higher frequencies."""
    h, w = part.shape[-2:]
    rows = torch.cat([part[..., : w // 2], part.new_zeros(*part.shape[:-1], width - w), part[..., w // 2 :]], dim=-1)
    blank = part.new_zeros(*part.shape[:-2], height - h, width)
    return torch.cat([rows[..., : h // 2, :], blank, rows[..., h // 2 :, :]], dim=-2)
