"""What the flows in torch do with gray images: blur, derivatives, and values between the pixels.

All have the border repeated, work on any device and pass gradients. The twins (`*_ref`) take one image `(H, W)`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Pixels that one product gives: the matrix of a blur is a band, and what lies outside of it need not be multiplied.
_BLOCK = 64


class GaussianBlur:
    """A blur of images of one size with a Gaussian cut off at three `sigma`.

    As products with matrices, made once: on a CPU several times as fast as convolutions with one channel.

    Arguments:
        size: height and width, pixels.
        sigma: standard deviation, pixels, more than 0.
        like: a tensor of the images' dtype and device.
    """

    def __init__(self, size: tuple[int, int], sigma: float, like: Tensor) -> None:
        height, width = size
        self._rows = _bands(height, sigma, like)
        columns = self._rows if width == height else _bands(width, sigma, like)
        self._columns = [(start, end, matrix.t()) for start, end, matrix in columns]

    def __call__(self, images: Tensor) -> Tensor:
        """`(..., H, W)` blurred."""
        across = torch.cat([images[..., start:end] @ matrix for start, end, matrix in self._columns], dim=-1)
        return torch.cat([matrix @ across[..., start:end, :] for start, end, matrix in self._rows], dim=-2)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur `(..., H, W)` once; for several images one after another, make a `GaussianBlur`."""
    height, width = images.shape[-2:]
    return GaussianBlur((height, width), sigma, images)(images)


def gaussian_blur_ref(image: Tensor, sigma: float) -> Tensor:
    """The slow twin: a weighted sum of shifted images."""
    weights = gaussian(sigma, image)
    radius = len(weights) // 2
    for dim in (0, 1):
        shifted = [_shifted_ref(image, dim, offset) for offset in range(-radius, radius + 1)]
        image = torch.stack([weight * part for weight, part in zip(weights, shifted, strict=True)]).sum(dim=0)
    return image


def gaussian(sigma: float, like: Tensor) -> Tensor:
    """Weights of the blur along one side, `(2 r + 1,)`; they sum to 1."""
    radius = max(1, int(3 * sigma + 0.5))
    x = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    weights = torch.exp(-((x / sigma) ** 2) / 2)
    # cut off, the Gaussian no longer sums to 1, and a constant image has to stay as it is
    return weights / weights.sum()


def derivatives(images: Tensor) -> Tensor:
    """Of `(N, 1, H, W)`, along x and along y, `(N, 2, H, W)`: central differences over five points."""
    p = F.pad(images, (2, 2, 2, 2), mode="replicate")
    rows, columns = p[..., 2:-2, :], p[..., 2:-2]
    # the stencil (1, -8, 0, 8, -1) / 12: an error of fourth order, where (-1, 0, 1) / 2 has second
    dx = (2 / 3) * (rows[..., 3:-1] - rows[..., 1:-3]) - (rows[..., 4:] - rows[..., :-4]) / 12
    dy = (2 / 3) * (columns[..., 3:-1, :] - columns[..., 1:-3, :]) - (columns[..., 4:, :] - columns[..., :-4, :]) / 12
    return torch.cat([dx, dy], dim=1)


def derivatives_ref(image: Tensor) -> Tensor:
    """The slow twin, `(2, H, W)`."""

    def along(dim: int) -> Tensor:
        at = {offset: _shifted_ref(image, dim, offset) for offset in (-2, -1, 1, 2)}
        return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / 12

    return torch.stack([along(1), along(0)])


class WarpedDifference:
    """I2(x + w) - I1(x), bilinear: what a flow w has to make small. Exactly zero where w and I2 - I1 are, everywhere.

    Not torch's bicubic, whose slope at a pixel is half as steep again as the image's: a flow's iteration would settle
    below the true motion, with twice the error at a quarter of a pixel.

    Arguments:
        first, second: I1 and I2, `(N, 1, H, W)`.
    """

    def __init__(self, first: Tensor, second: Tensor) -> None:
        self._second = second
        height, width = second.shape[-2:]
        # with align_corners, -1 and 1 are the centers of the first and the last pixel
        self._scale = second.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)])[:, None, None]
        self._grid = _pixel_grid(second) * self._scale - 1
        # sampling at rest errs by rounding; with that subtracted a still image stays exactly still
        self._constant = second - first - self._sample(self._grid)

    def __call__(self, flow: Tensor) -> Tensor:
        """The difference `(N, 1, H, W)` for a flow `(N, 2, H, W)`, pixels; beyond the border I2 is as at the border."""
        return self._constant + self._sample(torch.addcmul(self._grid, flow, self._scale))

    def _sample(self, grid: Tensor) -> Tensor:
        places = grid.movedim(-3, -1).expand(self._second.shape[0], -1, -1, -1)
        return F.grid_sample(self._second, places, mode="bilinear", padding_mode="border", align_corners=True)


def warped_difference_ref(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """The slow twin: of `(H, W)` twice, for a flow `(2, H, W)`."""
    height, width = second.shape
    x = (torch.arange(width) + flow[0]).clamp(0, width - 1)
    y = (torch.arange(height)[:, None] + flow[1]).clamp(0, height - 1)
    # the corners are constants; the gradient flows through the weights
    left, top = x.detach().floor().long(), y.detach().floor().long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    upper = second[top, left] * (left + 1 - x) + second[top, right] * (x - left)
    lower = second[bottom, left] * (left + 1 - x) + second[bottom, right] * (x - left)
    return upper * (top + 1 - y) + lower * (y - top) - first


def _bands(size: int, sigma: float, like: Tensor) -> list[tuple[int, int, Tensor]]:
    """The matrix of a blur along a side, cut into blocks of rows: the pixels from where to where they need, and it."""
    weights = gaussian(sigma, like)
    radius = len(weights) // 2
    pixels = torch.arange(size, device=like.device)
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    sources = (pixels[:, None] + offsets).clamp(0, size - 1)
    # added, not written: at the border the same pixel is a source several times
    matrix = like.new_zeros(size, size).scatter_add_(1, sources, weights.expand(size, -1))
    bands = []
    for first in range(0, size, _BLOCK):
        start, end = max(0, first - radius), min(size, first + _BLOCK + radius)
        bands.append((start, end, matrix[first : first + _BLOCK, start:end]))
    return bands


def _pixel_grid(images: Tensor) -> Tensor:
    """`(2, H, W)`: column and row of every pixel."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, dtype=images.dtype, device=images.device)
    columns = torch.arange(width, dtype=images.dtype, device=images.device)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))


def _shifted_ref(image: Tensor, dim: int, offset: int) -> Tensor:
    size = image.shape[dim]
    return image.index_select(dim, (torch.arange(size) + offset).clamp(0, size - 1))
