"""A U-Net for maps of any size, and the encoding of the factor that magnifiers hand to it.

Ronneberger, Fischer and Brox 2015, arXiv 1505.04597, in the form of arXiv 2311.17056: two 3 x 3 convolutions per level,
max-pooling down, bilinear interpolation up, and the maps of the way down beside them. That paper's five layers are
`levels=4` here, from a width of 64.

A factor alpha becomes sines and cosines of periods P_k from 1/8 to 128, evenly spaced by their logarithm, so that a
network can tell 1.5 from 2 as well as 15 from 20:

    sin(2 pi alpha / P_k), cos(2 pi alpha / P_k)        P_k = 2^(-3 + 10 k / (K - 1)),  k = 0 ... K - 1
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affectkit.errors import InputError

Norm = Literal["batch", "group", "none"]
# exponents of two of the shortest and the longest period (arXiv 2311.17056)
PERIODS = (-3.0, 7.0)
ALPHA_CHANNELS = 32


class UNet(nn.Module):
    """Maps `(B, channels_in, H, W)` to maps `(B, channels_out, H, W)`; the last layer is linear.

    Arguments:
        channels_in: of what comes in.
        channels_out: of what comes out.
        width: channels at full size; every level down has twice as many.
        levels: how often the size is halved; 0 for two convolutions alone.
        norm: what follows a convolution: statistics of the `batch`, of `group`s of channels of one map, or `none`.
    """

    def __init__(self, channels_in: int, channels_out: int, *, width: int, levels: int, norm: Norm = "none") -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        self.enter = _double_conv(channels_in, width, norm)
        self.down = nn.ModuleList(_double_conv(n, 2 * n, norm) for n in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(2 * n, n, kernel_size=1) for n in reversed(widths[:-1]))
        self.up = nn.ModuleList(_double_conv(2 * n, n, norm) for n in reversed(widths[:-1]))
        self.leave = nn.Conv2d(width, channels_out, kernel_size=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Any H and W from 1; inside, the last row and column are repeated up to a multiple of `2**levels`."""
        height, width = maps.shape[-2:]
        multiple = 2 ** len(self.down)
        x = F.pad(maps, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        x = self.enter(x)
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(F.max_pool2d(x, 2))
        for shrink, up in zip(self.shrink, self.up, strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = up(torch.cat([passed.pop(), shrink(x)], dim=1))
        leave: Tensor = self.leave(x)
        return leave[..., :height, :width]


def encode_alpha(alpha_map: Tensor, channels: int = ALPHA_CHANNELS) -> Tensor:
    """Factors `(B, 1, H, W)` to `(B, channels, H, W)` in at least float32: the sines, then the cosines.

    Raises:
        InputError: an odd number of channels, or none.
    """
    if channels < 2 or channels % 2:
        raise InputError(f"encode_alpha: {channels!r} channels; give an even number, 2 or more")
    # phases reach 800 radians, of which half precision keeps no fraction
    alpha = alpha_map.to(torch.promote_types(alpha_map.dtype, torch.float32))
    exponents = torch.linspace(*PERIODS, channels // 2, dtype=alpha.dtype, device=alpha.device)
    phase = alpha * (2 * math.pi / torch.exp2(exponents))[:, None, None]
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def _double_conv(before: int, after: int, norm: Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        # a normalization has a bias per channel of its own
        conv = nn.Conv2d(channels, after, kernel_size=3, padding=1, padding_mode="replicate", bias=norm == "none")
        # torch's own start is for other slopes: over ten layers of ReLU without a norm it would fade to nothing
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        layers += [conv, *_normalize(after, norm), nn.ReLU()]
    return nn.Sequential(*layers)


def _normalize(channels: int, norm: Norm) -> list[nn.Module]:
    if norm == "none":
        return []
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    # two channels per group at the least where there are two: one alone, at one pixel, is normalized to nothing
    return [nn.GroupNorm(max(groups for groups in (1, 2, 4) if groups == 1 or channels % (2 * groups) == 0), channels)]
