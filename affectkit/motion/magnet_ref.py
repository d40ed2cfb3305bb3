"""The slow twin of `magnet`: the network written out as sums over shifted images, from its weights by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def magnet_ref(state: State, reference: Tensor, frame: Tensor, alpha: float) -> Tensor:
    """The frame `(3, H, W)` with `alpha` times its motion against `reference`; sides are multiples of 4.

    Arguments:
        state: a state dict of `affectkit.motion.magnet_net.MagNet`.
        reference, frame: in [0, 1]; what comes out may lie beyond.
        alpha: magnification factor.
    """
    _, before = _encoded(state, 2 * reference - 1)
    texture, after = _encoded(state, 2 * frame - 1)
    difference = (alpha - 1) * _convolved(state["manipulator.g.weight"], after - before).clamp(min=0)
    shape = after + _residual(state, "manipulator.h_block", _convolved(state["manipulator.h.weight"], difference))
    texture = _convolved(state["decoder.texture.weight"], _doubled(texture)).clamp(min=0)
    joined = torch.cat([texture, shape])
    for i in range(9):
        joined = _residual(state, f"decoder.blocks.{i}", joined)
    last = _convolved(state["decoder.first.weight"], _doubled(joined)).clamp(min=0)
    return (_convolved(state["decoder.second.weight"], last) + 1) / 2


def _encoded(state: State, image: Tensor) -> tuple[Tensor, Tensor]:
    common = _convolved(state["encoder.first.weight"], image).clamp(min=0)
    common = _convolved(state["encoder.second.weight"], common, halves=True).clamp(min=0)
    for i in range(3):
        common = _residual(state, f"encoder.common.{i}", common)
    texture, shape = _convolved(state["encoder.texture.weight"], common, halves=True).clamp(min=0), common
    for i in range(2):
        texture = _residual(state, f"encoder.texture_blocks.{i}", texture)
        shape = _residual(state, f"encoder.shape_blocks.{i}", shape)
    return texture, shape


def _residual(state: State, name: str, image: Tensor) -> Tensor:
    inner = _convolved(state[f"{name}.first.weight"], image).clamp(min=0)
    return image + _convolved(state[f"{name}.second.weight"], inner)


def _convolved(weight: Tensor, image: Tensor, *, halves: bool = False) -> Tensor:
    """Each place of the kernel adds the image, moved there and mirrored at the border; then every second pixel."""
    reach = weight.shape[-1] // 2
    total = image.new_zeros(weight.shape[0], *image.shape[1:])
    for row in range(weight.shape[2]):
        for column in range(weight.shape[3]):
            moved = _moved(_moved(image, 1, row - reach), 2, column - reach)
            total = total + torch.einsum("oi,ihw->ohw", weight[:, :, row, column], moved)
    return total[:, 1::2, 1::2] if halves else total


def _moved(image: Tensor, dim: int, offset: int) -> Tensor:
    last = image.shape[dim] - 1
    places = [abs(place + offset) for place in range(last + 1)]
    return image.index_select(dim, torch.tensor([min(place, 2 * last - place) for place in places]))


def _doubled(image: Tensor) -> Tensor:
    return image.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
