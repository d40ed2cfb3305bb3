"""The module of `sparse-vssd`: stem, stages with merging between them, mean.

    s_q = || mean_c |x| ||  over the places of window q           strength
    windows with the largest s_q <- Blocks(windows)               the others stay as they are

Strengths are taken once, where a stage begins, and no gradient passes through the choice (as in SparseViT, arXiv
2303.17605).
"""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import Tensor, nn

from affectkit.features.sparse_vssd import Size, SparseVSSDConfig
from affectkit.features.sparse_vssd_block import AttentionMixer, Block, NCSSDMixer
from affectkit.features.sparse_vssd_ss2d import SS2DMixer
from affectkit.features.sparse_vssd_windows import choose, count_kept, cut, join, put, strengths, take
from affectkit.interfaces import FeatureExtractor
from affectkit.ops.exporting import is_exporting
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class SparseVSSD(FeatureExtractor[SparseVSSDConfig]):
    """Frames `(B, T, C, H, W)` of any unit in, features `(B, T, D)` out; zero for padding.

    Attributes:
        stem: pictures `(B, C, H, W)` to maps of the first width.
        stages: blocks by stage; a stage takes and gives `(B, H, W, C)`, see `run_stage`.
        merges: what makes maps smaller and wider between stages, channels first.
        norm: of the tokens, before their mean; the identity without one.
    """

    def __init__(self, config: SparseVSSDConfig, stream: FrameStream) -> None:
        super().__init__(config)
        size = config.resolved
        self.stem = _stem(len(stream.channels), size)
        self.stages = nn.ModuleList(_stage(config, size, i) for i in range(len(size.dims)))
        self.merges = nn.ModuleList(_merge(before, after, size) for before, after in itertools.pairwise(size.dims))
        self.norm = nn.LayerNorm(size.dims[-1]) if size.last_norm else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(config.cells)

    def forward(self, inputs: Sequence) -> Sequence:
        mask = inputs.mask.unsqueeze(-1)
        # before the first layer: NaN in padding would reach the weights' gradient through outputs that are masked
        frames = torch.where(mask[..., None, None], inputs.values, 0.0).flatten(0, 1)
        real = inputs.mask.flatten()
        if is_exporting():
            # one graph for every mask: in evaluation, padding costs time and changes nothing
            features = self.features(frames)
        elif not bool(real.any()):
            features = self._nothing(frames)
        elif bool(real.all()):
            features = self.features(frames)
        else:
            # batch normalization would count padding into its statistics
            found = self.features(frames[real])
            features = found.new_zeros(len(frames), found.shape[1]).index_put((real,), found)
        features = features.reshape(*inputs.mask.shape, features.shape[1])
        return inputs.with_values(torch.where(mask, features, 0.0))

    def _nothing(self, frames: Tensor) -> Tensor:
        """Zeros `(B, D)` that are joined to all parameters, so that a backward pass finds what it expects."""
        width = self.config.resolved.dims[-1] * self.config.cells**2
        # of no entry each: 0 times a value would be NaN where that is infinite
        empty = torch.cat([parameter.flatten()[:0] for parameter in self.parameters()])
        return frames.new_zeros(len(frames), width) + empty.sum()

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures `(B, C, H, W)` to features `(B, D)`."""
        maps = self.stem(pictures.contiguous(memory_format=torch.channels_last)).permute(0, 2, 3, 1)
        for i in range(len(self.stages)):
            if i:
                maps = self.merges[i - 1](maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            maps = self.run_stage(i, maps)
        maps = self.norm(maps).permute(0, 3, 1, 2)
        # a mean over cells of one token each costs as much as a block, and changes nothing
        is_pooled = maps.shape[-2:] != (self.config.cells, self.config.cells)
        pooled: Tensor = self.pool(maps) if is_pooled else maps
        return pooled.flatten(1)

    def run_stage(self, stage: int, maps: Tensor) -> Tensor:
        """The blocks of a stage on maps `(B, H, W, C)`, by the config's ratio for it.

        Windows that are left out come out bit for bit as they went in.
        """
        ratio = self.config.ratios[stage] if stage < len(self.config.ratios) else 0.0
        height, width = maps.shape[1:3]
        side = self.config.resolved.window
        windows = -(-height // side) * -(-width // side)
        kept = count_kept(windows, ratio)
        if kept == windows:
            return self._blocks(stage, maps.unsqueeze(1), None).squeeze(1)
        tokens, real = cut(maps, side)
        chosen = choose(strengths(tokens, self.config.selection), kept)
        if self.config.sparse_form == "gather":
            active = None if real is None else real[chosen]
            return join(put(tokens, chosen, self._blocks(stage, take(tokens, chosen), active)), height, width)
        is_kept = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=maps.device).scatter(1, chosen, True)
        is_kept = is_kept[..., None, None]
        active = (is_kept if real is None else is_kept & real).expand(tokens.shape[:4])
        new = self._blocks(stage, tokens, active)
        return join(torch.where(is_kept.unsqueeze(-1), new, tokens), height, width)

    def _blocks(self, stage: int, tokens: Tensor, active: Tensor | None) -> Tensor:
        for block in cast(nn.ModuleList, self.stages[stage]):
            tokens = block(tokens, active)
        return tokens


def _stage(config: SparseVSSDConfig, size: Size, stage: int) -> nn.ModuleList:
    dim, heads = size.dims[stage], size.heads[stage]

    def mixer() -> nn.Module:
        if size.attention and stage == len(size.dims) - 1:
            return AttentionMixer(dim, heads=heads)
        if config.mixer == "ss2d":
            return SS2DMixer(dim, state=size.state, expansion=size.expansion)
        return NCSSDMixer(dim, heads=heads, state=size.state, expansion=size.expansion)

    # rises over the blocks of all stages
    rise = size.drop_path / max(1, sum(size.depths) - 1)
    first = sum(size.depths[:stage])
    return nn.ModuleList(
        Block(dim, mixer(), feedforward=size.feedforward * dim, drop_path=rise * i, dropout=config.dropout)
        for i in range(first, first + size.depths[stage])
    )


class _Residual(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return x + y


def _stem(channels: int, size: Size) -> nn.Module:
    """Pictures `(B, channels, H, W)` to maps `(B, dims[0], H / stride, W / stride)`."""
    dim = size.dims[0]
    if size.reduction == "plain":
        return nn.Sequential(*_convolution(channels, dim, size, kernel=max(3, 2 * size.stride - 1), stride=size.stride))
    half = -(-dim // 2)
    first, second = min(size.stride, 2), max(size.stride // 2, 1)
    inner = (*_convolution(half, half, size), _relu(), *_convolution(half, half, size))
    return nn.Sequential(
        *_convolution(channels, half, size, stride=first), _relu(),
        _Residual(*inner),
        *_convolution(half, 4 * dim, size, stride=second), _relu(),
        *_convolution(4 * dim, dim, size, kernel=1),
    )  # fmt: skip


def _merge(before: int, after: int, size: Size) -> nn.Module:
    """Maps `(B, before, H, W)` to `(B, after, H / 2, W / 2)`."""
    if size.reduction == "plain":
        return nn.Sequential(*_convolution(before, after, size, stride=2))
    wide = 4 * after
    return nn.Sequential(
        nn.Conv2d(before, wide, kernel_size=1), _relu(),
        nn.Conv2d(wide, wide, kernel_size=3, stride=2, padding=1, groups=wide), _relu(),
        *_convolution(wide, after, size, kernel=1),
    )  # fmt: skip


def _convolution(before: int, after: int, size: Size, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    layer = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=size.norm == "none")
    if size.norm == "none":
        return [layer]
    return [layer, nn.BatchNorm2d(after) if size.norm == "batch" else nn.GroupNorm(1, after)]


def _relu() -> nn.ReLU:
    # in place: a second copy of the widest maps takes as long as the convolution between them
    return nn.ReLU(inplace=True)
