"""The landmark branch: MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) up to its last map, without the landmarks.

A bottleneck widens by a 1x1 convolution, filters every channel alone, and narrows by a 1x1 convolution; each is
followed by a batch normalization, the first two by a PReLU too.
"""

from __future__ import annotations

from torch import Tensor, nn


class MobileFaceNet(nn.Module):
    """Faces `(N, 3, S, S)` to three maps: `(N, widths[i], S / k, S / k)` for k = 4, 8, 16."""

    def __init__(self, widths: tuple[int, int, int], depths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, last = widths
        self.stem = nn.Sequential(_unit(3, first, kernel=3, stride=2), _unit(first, first, kernel=3, groups=first))
        self.stages = nn.ModuleList([
            _stage(first, first, depths[0], halving=2 * first),
            _stage(first, second, depths[1], halving=4 * first),
            _stage(second, second, depths[2], halving=4 * second),
        ])  # fmt: skip
        self.last = _unit(second, last)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.stem(x)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return [*maps[1:3], self.last(maps[3])]


class Bottleneck(nn.Module):
    """Maps `(N, before, H, W)` to `(N, after, H / stride, W / stride)`; added to what came in at stride 1."""

    def __init__(self, before: int, after: int, *, hidden: int, stride: int = 1) -> None:
        super().__init__()
        self.is_residual = stride == 1
        self.expand = _unit(before, hidden)
        self.depthwise = _unit(hidden, hidden, kernel=3, stride=stride, groups=hidden)
        self.project = _unit(hidden, after, is_active=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.is_residual else y


def _stage(before: int, after: int, depth: int, *, halving: int) -> nn.Sequential:
    """One bottleneck that halves the map, `halving` channels wide inside, and `depth` residual ones."""
    first = Bottleneck(before, after, hidden=halving, stride=2)
    return nn.Sequential(first, *(Bottleneck(after, after, hidden=2 * after) for _ in range(depth)))


def _unit(
    before: int, after: int, *, kernel: int = 1, stride: int = 1, groups: int = 1, is_active: bool = True
) -> nn.Sequential:
    layer = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after), *([nn.PReLU(after)] if is_active else []))
