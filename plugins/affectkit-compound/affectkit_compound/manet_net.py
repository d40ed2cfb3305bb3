"""The module of `manet`. With BN a batch normalization and conv a 3x3 convolution without bias:

    z = conv(ReLU(BN(conv(x))))                                        the first convolution has the stage's stride
    basic:        block(x) = ReLU(BN(z) + shortcut(x))
    attention:    block(x) = ReLU(gate(BN(z)) + shortcut(x))           gate: by channel, then by place (CBAM)
    multi-scale:  y_1, ..., y_4 = the channels of ReLU(BN(conv(x)))
                  a_1 = f_1(y_1), a_i = f_i(ReLU(a_(i-1)) + y_i)       f, g: BN(conv(.)) of their own
                  b_4 = g_4(y_4), b_i = g_i(ReLU(b_(i+1)) + y_i)
                  block(x) = ReLU([a_1, ..., a_4] + [b_1, ..., b_4] + shortcut(x))

So the four groups of channels see more and more of the face in one direction, and again in the other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit import FrameStream
from affectkit.features.frame_network import FrameNetwork
from affectkit_compound.manet import SIZES, MANetConfig, Size

SCALES = 4


class MANet(FrameNetwork[MANetConfig]):
    """Faces `(B, T, 3, S, S)` in [0, 1] to features `(B, T, 2 D)`, local then global; zero for padding."""

    def __init__(self, config: MANetConfig, stream: FrameStream) -> None:
        dim, network = config.output(stream).dim, MANetNetwork(SIZES[config.size])
        frozen = (network,) if config.frozen else ()
        super().__init__(config, network, dim=dim, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), frozen=frozen)


class MANetNetwork(nn.Module):
    """Faces `(N, 3, S, S)` to features `(N, 2 D)`."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        first, second, third, fourth = size.widths
        one, two, three, four = size.depths

        def attention(before: int, after: int, stride: int) -> Block:
            return AttentionBlock(before, after, stride, reduction=size.reduction)

        self.stem = nn.Sequential(nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(first))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.shared = nn.ModuleList([stage(Block, first, first, one), stage(Block, first, second, two, stride=2)])
        self.quadrants = nn.ModuleList(
            nn.Sequential(stage(attention, second, third, three, stride=2), stage(attention, third, fourth, four))
            for _ in range(4)
        )
        self.whole = nn.Sequential(
            stage(MultiScaleBlock, second, third, three, stride=2),
            stage(MultiScaleBlock, third, fourth, four, stride=2),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, faces: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.stem(faces)))
        for layers in self.shared:
            x = layers(x)
        half = x.shape[-1] // 2
        # row by row, as the public code numbers them
        parts = [x[..., top : top + half, left : left + half] for top in (0, half) for left in (0, half)]
        # the four are equally large, so that the mean over the face is the mean of their means
        local = torch.stack([layers(part).mean((2, 3)) for layers, part in zip(self.quadrants, parts, strict=True)])
        return torch.cat([local.mean(0), self.whole(x).mean((2, 3))], dim=1)


class Block(nn.Module):
    """Maps `(N, before, H, W)` to `(N, after, H / stride, W / stride)`: the block of ResNet-18."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.enter = Unit(before, after, stride=stride)
        self.inner = self._make_inner(after)
        has_shortcut = stride != 1 or before != after
        self.shortcut = Unit(before, after, kernel=1, stride=stride) if has_shortcut else nn.Identity()

    def _make_inner(self, width: int) -> nn.Module:
        return Unit(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(torch.relu(self.enter(x))) + self.shortcut(x))


class AttentionBlock(Block):
    """The same with a gate by channel and one by place."""

    def __init__(self, before: int, after: int, stride: int, *, reduction: int) -> None:
        super().__init__(before, after, stride)
        self.inner = nn.Sequential(self.inner, ChannelGate(after, reduction), PlaceGate())


class MultiScaleBlock(Block):
    """The same with two chains over four groups of channels in the place of the second convolution."""

    def _make_inner(self, width: int) -> nn.Module:
        return Scales(width)


class Scales(nn.Module):
    """Maps `(N, C, H, W)` to others of the same shape, by a chain over groups of channels there, and one back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        group = width // SCALES
        self.there = nn.ModuleList(Unit(group, group) for _ in range(SCALES))
        self.back = nn.ModuleList(Unit(group, group) for _ in range(SCALES))

    def forward(self, x: Tensor) -> Tensor:
        groups = list(x.chunk(SCALES, dim=1))
        there = _chain(list(self.there), groups)
        back = _chain(list(self.back)[::-1], groups[::-1])[::-1]
        return torch.cat(there, dim=1) + torch.cat(back, dim=1)


class Unit(nn.Module):
    """A convolution without bias and a batch normalization."""

    def __init__(self, before: int, after: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolution(x))  # type: ignore[no-any-return]


class ChannelGate(nn.Module):
    """Maps `(N, C, H, W)` times a factor per channel, by their means and maxima (CBAM, arXiv 1807.06521, section 3)."""

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width // reduction), nn.Linear(width // reduction, width)

    def forward(self, x: Tensor) -> Tensor:
        seen = sum(self.second(torch.relu(self.first(pooled))) for pooled in (x.mean((2, 3)), x.amax((2, 3))))
        return x * torch.sigmoid(seen)[..., None, None]


class PlaceGate(nn.Module):
    """Maps `(N, C, H, W)` times a factor per place, by the maximum and the mean over channels (the same section)."""

    def __init__(self) -> None:
        super().__init__()
        self.unit = Unit(2, 1, kernel=7)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.stack([x.amax(1), x.mean(1)], dim=1)
        return x * torch.sigmoid(self.unit(seen))


def stage(
    make: Callable[[int, int, int], nn.Module], before: int, after: int, depth: int, *, stride: int = 1
) -> nn.Sequential:
    """`depth` blocks, of which the first widens the maps and has the stride."""
    return nn.Sequential(make(before, after, stride), *(make(after, after, 1) for _ in range(depth - 1)))


def _chain(units: list[nn.Module], groups: list[Tensor]) -> list[Tensor]:
    found = [units[0](groups[0])]
    for unit, group in zip(units[1:], groups[1:], strict=True):
        found.append(unit(functional.relu(found[-1]) + group))
    return found
