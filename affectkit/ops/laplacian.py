"""The Laplacian pyramid of Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE COM-31(4), 1983.

A level is what shrinking an image to half its size takes away; the last one is what is left. The kernel is binomial,
(1, 4, 6, 4, 1) / 16, with the border repeated. Level i holds waves of about 4 * 2^i pixels, an octave to either side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def split_octaves(images: Tensor, count: int) -> list[Tensor]:
    """`count` levels of `(N, C, H, W)`, finest first, and what is left; `join_octaves` puts them together again."""
    levels = []
    for _ in range(count):
        smaller = _shrunk(images)
        levels.append(images - _grown(smaller, images))
        images = smaller
    return [*levels, images]


def join_octaves(levels: list[Tensor]) -> Tensor:
    """The image whose levels these are."""
    *finer, image = levels
    for level in reversed(finer):
        image = level + _grown(image, level)
    return image


def split_octaves_ref(image: Tensor, count: int) -> list[Tensor]:
    """The slow twin, of one image `(H, W)`: every shrinking and growing is a product with its matrix."""
    levels = []
    for _ in range(count):
        rows, columns = (_matrix_ref(side, image) for side in image.shape)
        smaller = rows @ image @ columns.T
        back = [_matrix_ref(side, image, grows=True) for side in image.shape]
        levels.append(image - back[0] @ smaller @ back[1].T)
        image = smaller
    return [*levels, image]


def _shrunk(images: Tensor) -> Tensor:
    for dim in (-1, -2):
        size = images.shape[dim]
        padded = _padded(images, dim, 2)
        # every second pixel of the blurred image, without making the others
        images = sum(
            weight * padded.narrow(dim, k, size).index_select(dim, torch.arange(0, size, 2, device=images.device))
            for k, weight in enumerate(_KERNEL)
        )  # type: ignore[assignment]
    return images


def _grown(images: Tensor, like: Tensor) -> Tensor:
    """The kernel, doubled, on the image with a zero behind every pixel; cut to the size of `like`."""
    for dim in (-1, -2):
        size = images.shape[dim]
        padded = _padded(images, dim, 1)
        left, middle, right = (padded.narrow(dim, k, size) for k in range(3))
        even, odd = (left + 6 * middle + right) / 8, (middle + right) / 2
        both = torch.stack([even, odd], dim=images.ndim + dim + 1).flatten(images.ndim + dim, images.ndim + dim + 1)
        images = both.narrow(dim, 0, like.shape[dim])
    return images


def _padded(images: Tensor, dim: int, width: int) -> Tensor:
    return F.pad(images, (width, width, 0, 0) if dim == -1 else (0, 0, width, width), mode="replicate")


def _matrix_ref(size: int, like: Tensor, *, grows: bool = False) -> Tensor:
    half = (size + 1) // 2
    matrix = like.new_zeros(size, half) if grows else like.new_zeros(half, size)
    for k, weight in enumerate(_KERNEL):
        if grows:
            for place in range(size):
                # what stands at an odd place of the image with zeros adds nothing
                source = place + k - 2
                if source % 2 == 0:
                    matrix[place, min(max(source // 2, 0), half - 1)] += 2 * weight
        else:
            for place in range(half):
                matrix[place, min(max(2 * place + k - 2, 0), size - 1)] += weight
    return matrix
