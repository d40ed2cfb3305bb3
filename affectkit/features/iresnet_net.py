"""The module of `iresnet`. With BN a batch normalization and conv a 3x3 convolution without bias:

    block(x) = BN(conv(PReLU(BN(conv(BN(x)))))) + shortcut(x)      the second convolution has the stage's stride
    feature = BN(linear(dropout(BN(stages(PReLU(BN(conv(x))))))))

The first block of every stage halves the map, and its shortcut is a 1x1 convolution.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from affectkit.features.frame_network import FrameNetwork
from affectkit.features.iresnet import SIZES, IResNetConfig, Size
from affectkit.streams import FrameStream


class IResNet(FrameNetwork[IResNetConfig]):
    """Faces `(B, T, 3, H, W)` in [0, 1] to features `(B, T, D)`; zero for padding."""

    def __init__(self, config: IResNetConfig, stream: FrameStream) -> None:
        dim = config.output(stream).dim
        network = IResNetNetwork(SIZES[config.size], stream.height, stream.width, dropout=config.dropout)
        frozen = (network,) if config.frozen else ()
        super().__init__(config, network, dim=dim, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), frozen=frozen)


class IResNetNetwork(nn.Module):
    """Faces `(N, 3, H, W)` in [-1, 1] to features `(N, D)`."""

    def __init__(self, size: Size, height: int, width: int, *, dropout: float) -> None:
        super().__init__()
        first, last = size.widths[0], size.widths[-1]
        self.stem = nn.Sequential(convolution(3, first), nn.BatchNorm2d(first), nn.PReLU(first))
        self.stages = nn.ModuleList(
            _stage(before, after, depth)
            for (before, after), depth in zip(itertools.pairwise((first, *size.widths)), size.depths, strict=True)
        )
        self.norm = nn.BatchNorm2d(last)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(last * (height // 16) * (width // 16), size.dim)
        self.feature_norm = FeatureNorm(size.dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        # the linear map's order is that of the channels first
        features: Tensor = self.feature_norm(self.project(self.dropout(self.norm(x).flatten(1))))
        return features


class Block(nn.Module):
    """Maps `(N, before, H, W)` to `(N, after, H / stride, W / stride)`."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(before),
            convolution(before, after),
            nn.BatchNorm2d(after),
            nn.PReLU(after),
            convolution(after, after, stride=stride),
            nn.BatchNorm2d(after),
        )
        has_shortcut = stride > 1 or before != after
        self.shortcut = Shortcut(before, after, stride=stride) if has_shortcut else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)  # type: ignore[no-any-return]


class Shortcut(nn.Module):
    """Every `stride`-th place of a map, through a 1x1 convolution and a batch normalization."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv2d(before, after, kernel_size=1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        # not a convolution with stride: for few channels, channels last, its backward pass in torch 2.13 writes
        # past the end of its memory on a CPU
        return self.norm(self.convolution(x[..., :: self.stride, :: self.stride]))  # type: ignore[no-any-return]


class FeatureNorm(nn.BatchNorm1d):
    """Batch normalization that learns no scale; a feature that is alone is normalized by what is known so far."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            # torch refuses: the statistics of one value per channel would make it zero
            mean, variance = self.running_mean, self.running_var
            return functional.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def convolution(before: int, after: int, *, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution without bias; at stride 1 the map keeps its size."""
    return nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=False)


def _stage(before: int, after: int, depth: int) -> nn.Sequential:
    blocks = [Block(before, after, stride=2), *(Block(after, after, stride=1) for _ in range(depth - 1))]
    return nn.Sequential(*blocks)
