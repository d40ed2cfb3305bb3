"""The image branch: the first three stages of IR50, a residual network for faces (arXiv 1801.07698, section 3.1.1).

    block(x) = BN(conv(PReLU(conv(BN(x))))) + shortcut(x)      the second convolution has the stage's stride

It differs from `iresnet` by one normalization per block, and by a shortcut without weights where the width stays.
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from affectkit.features.iresnet_net import Shortcut, convolution


class IR50(nn.Module):
    """Faces `(N, 3, S, S)` to maps `(N, widths[i], S / 2^(i+1), S / 2^(i+1))`, one per stage."""

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        first = widths[0]
        self.stem = nn.Sequential(convolution(3, first), nn.BatchNorm2d(first), nn.PReLU(first))
        self.stages = nn.ModuleList(
            nn.Sequential(_Block(before, after, stride=2), *(_Block(after, after) for _ in range(depth - 1)))
            for (before, after), depth in zip(itertools.pairwise((first, *widths)), depths, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


class _Block(nn.Module):
    """Maps `(N, before, H, W)` to `(N, after, H / stride, W / stride)`."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.residual = nn.Sequential(
            nn.BatchNorm2d(before),
            convolution(before, after),
            nn.PReLU(after),
            convolution(after, after, stride=stride),
            nn.BatchNorm2d(after),
        )
        self.shortcut = None if before == after else Shortcut(before, after, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        same = x[..., :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(x)
        return self.residual(x) + same  # type: ignore[no-any-return]
