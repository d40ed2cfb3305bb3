"""The module of `conv-stem`."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from affectkit.features.conv_stem import ConvStemConfig
from affectkit.interfaces import FeatureExtractor
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class ConvStem(FeatureExtractor[ConvStemConfig]):
    """Frames `(B, T, C, H, W)` of any unit in, features `(B, T, dim)` out; zero for padding."""

    def __init__(self, config: ConvStemConfig, stream: FrameStream) -> None:
        super().__init__(config)
        widths = [len(stream.channels), *(config.width * 2**i for i in range(config.depth))]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(itertools.pairwise(widths)):
            normed = i > 0 and config.norm == "group"
            # the normalization has a bias per channel of its own
            layers.append(nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=not normed))
            if normed:
                layers.append(nn.GroupNorm(_groups(after), after))
            layers.append(nn.GELU())
        self.layers = nn.Sequential(*layers)
        # the means make the width of the feature the same for any size
        self.pool = nn.AdaptiveAvgPool2d(config.cells)
        self.project = nn.Linear(widths[-1] * config.cells**2, config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        mask = inputs.mask.unsqueeze(-1)
        # NaN in padding would reach the weights' gradient, even through outputs that are masked: zero times NaN is NaN
        values = torch.where(mask[..., None, None], inputs.values, 0.0)
        maps: Tensor = self.layers(values.flatten(0, 1))
        features: Tensor = self.project(self.pool(maps).flatten(1)).unflatten(0, inputs.mask.shape)
        return inputs.with_values(torch.where(mask, features, 0.0))


def _groups(channels: int) -> int:
    # two channels per group at the least: one alone, at one pixel, would be normalized to nothing
    # divides: layers with a normalization have `width * 2**i` channels, an even number
    return math.gcd(channels // 2, 4)
