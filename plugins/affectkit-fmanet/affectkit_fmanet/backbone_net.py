"""The module of `fmanet-backbone`. With F_k the maps of phase k, and w_k of a 1x1 convolution over both:

    F = sum_k softmax_k(w_k) F_k                                           fusion, at every place
    F <- F (1 + sigmoid(conv7([mean_c F, max_c F, N_1, N_2])))             motion attention

The feature is GELU of a linear map of F, averaged within cells. A stream's convolutions have strides, no pooling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit import FeatureExtractor, FrameStream, InputError, Sequence
from affectkit.motion.flow_maps_net import magnitude, mirror
from affectkit.motion.mm_cof_net import scaled
from affectkit_fmanet.backbone import PHASES, FMANetConfig
from affectkit_fmanet.modulation import Modulation

# In units of the flow: a phase that moves by less everywhere is still.
LEAST_MOTION = 1e-3


class FMANet(FeatureExtractor[FMANetConfig]):
    """Flow `(B, 1 or 2, C, H, W)` of contraction and relaxation to features `(B, 1, dim)`; zero without a contraction.

    An event without a relaxation, where the mask says so, is that of its first phase.
    """

    def __init__(self, config: FMANetConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        count = 1 if config.phases == "contraction" else 2
        self.steps, self.channels = len(stream.steps), stream.channels
        # What the front-end measured, and the magnitude.
        channels = len(stream.channels) + 1
        self.streams = nn.ModuleList(_stream(config, channels) for _ in range(1 if config.is_shared else count))
        self.modulation = None if config.modulation == "none" else Modulation(is_soft=config.modulation == "soft")
        # What is side by side has no shares, and a layer of its own behind it for each phase.
        is_wide = config.fusion == "concat" and count == 2
        wide = 2 * config.width * (2 if is_wide else 1)
        has_weights = config.fusion == "attention" and count == 2
        self.weights = nn.Conv2d(4 * config.width, 2, kernel_size=1) if has_weights else None
        self.attention = nn.Conv2d(4, 1, kernel_size=7, padding=3) if config.has_motion_attention else None
        self.pool = nn.AdaptiveAvgPool2d(config.cells)
        self.dropout = nn.Dropout(config.dropout)
        self.project = nn.Linear(wide * config.cells**2, config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        if inputs.values.shape[1] != self.steps:
            needs = " and ".join(PHASES[: self.steps])
            raise InputError(f"fmanet-backbone: {inputs.values.shape[1]} flows; needs {self.steps}: {needs}")
        features = self._features(inputs)
        if self.config.is_mirrored and not self.training:
            mirrored = self._features(inputs.with_values(mirror(inputs.values, self.channels)))
            features = features.with_values((features.values + mirrored.values) / 2)
        return features

    def _features(self, inputs: Sequence) -> Sequence:
        is_event = inputs.mask[:, :1]
        is_real = inputs.mask.clone()
        if self.config.phases == "contraction":
            is_real[:, 1:] = False
        # An event without its first phase is zero in the end; until then it is one that stands still.
        is_real[:, :1] = True
        shown = (inputs.mask & is_real)[:, :, None, None, None]
        flows = torch.where(shown, inputs.values, 0.0)
        lengths = scaled(magnitude(flows[:, :, :2]), LEAST_MOTION)
        if self.modulation is not None:
            flows = flows * self.modulation(lengths, is_real).unsqueeze(1)
        seen = torch.cat([flows, magnitude(flows[:, :, :2]).unsqueeze(2)], dim=2)
        count = 1 if self.config.phases == "contraction" else 2
        # channels last: the gradient of so few channels takes a sixth less time
        last = [seen[:, k].contiguous(memory_format=torch.channels_last) for k in range(count)]
        maps = [self.streams[min(k, len(self.streams) - 1)](one) for k, one in enumerate(last)]
        fused = self._attended(self._fused(maps, is_real), lengths)
        if fused.shape[-2:] != (self.config.cells, self.config.cells):
            fused = self.pool(fused)
        features = functional.gelu(self.project(self.dropout(fused.flatten(1)))).unsqueeze(1)
        features = torch.where(is_event.unsqueeze(-1), features, 0.0)
        return Sequence(features, is_event, inputs.times[:, :1])

    def _fused(self, maps: list[Tensor], is_real: Tensor) -> Tensor:
        if len(maps) == 1:
            return maps[0]
        both = torch.stack(maps, dim=1)
        if self.config.fusion == "concat":
            return (both * is_real[:, :, None, None, None]).flatten(1, 2)
        if self.weights is None:
            weights = both.new_zeros(len(both), 2, 1, 1)
        else:
            weights = self.weights(both.flatten(1, 2))
        shares = weights.masked_fill(~is_real[:, :, None, None], -torch.inf).softmax(dim=1)
        return (shares.unsqueeze(2) * both).sum(dim=1)

    def _attended(self, fused: Tensor, lengths: Tensor) -> Tensor:
        if self.attention is None:
            return fused
        small = functional.interpolate(lengths, size=fused.shape[-2:], mode="area").to(fused.dtype)
        if small.shape[1] == 1:
            small = functional.pad(small, (0, 0, 0, 0, 0, 1))
        summary = torch.cat([fused.mean(dim=1, keepdim=True), fused.amax(dim=1, keepdim=True), small], dim=1)
        attended: Tensor = fused * (1 + torch.sigmoid(self.attention(summary)))
        return attended


def _stream(config: FMANetConfig, channels: int) -> nn.Module:
    """Maps `(B, channels, H, W)` to `(B, 2 width, H / 4, W / 4)`."""
    first, second = config.width, 2 * config.width
    # No normalization: strong motion stays told from weak.
    return nn.Sequential(
        nn.Conv2d(channels, first, kernel_size=4, stride=2, padding=1), nn.GELU(),
        nn.Conv2d(first, second, kernel_size=4, stride=2, padding=1), nn.GELU(),
    )  # fmt: skip
