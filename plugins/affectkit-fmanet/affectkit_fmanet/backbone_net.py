"""The module of `fmanet-backbone`. With F_k the maps of phase k, and w_k of a 1x1 convolution over both:

    F = sum_k softmax_k(w_k) F_k                                           fusion, at every place
    F <- F (1 + sigmoid(conv7([mean_c F, max_c F, N_1, N_2])))             motion attention

The feature is a linear map of the mean of F over the picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectkit import FeatureExtractor, FrameStream, InputError, Sequence
from affectkit.motion.flow_maps_net import magnitude
from affectkit.motion.mm_cof_net import scaled
from affectkit_fmanet.backbone import FMANetConfig
from affectkit_fmanet.modulation import Modulation

# In units of the flow: a phase that moves by less everywhere is still.
LEAST_MOTION = 1e-3


class FMANet(FeatureExtractor[FMANetConfig]):
    """Flow `(B, 2, 2, H, W)` of contraction and relaxation to features `(B, 1, dim)`; zero without a contraction.

    An event without a relaxation, where the mask says so, is that of its first phase.
    """

    def __init__(self, config: FMANetConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        count = 1 if config.phases == "contraction" else 2
        self.streams = nn.ModuleList(_stream(config) for _ in range(1 if config.is_shared else count))
        self.modulation = None if config.modulation == "none" else Modulation(is_soft=config.modulation == "soft")
        wide = 2 * config.width
        has_weights = config.fusion == "attention" and count == 2
        self.weights = nn.Conv2d(2 * wide, 2, kernel_size=1) if has_weights else None
        self.attention = nn.Conv2d(4, 1, kernel_size=7, padding=3) if config.has_motion_attention else None
        self.dropout = nn.Dropout1d(config.dropout)
        self.project = nn.Linear(wide, config.dim)

    def forward(self, inputs: Sequence) -> Sequence:
        if inputs.values.shape[1] != 2:
            raise InputError(f"fmanet-backbone: {inputs.values.shape[1]} flows; needs 2: contraction and relaxation")
        is_event = inputs.mask[:, :1]
        is_real = inputs.mask.clone()
        if self.config.phases == "contraction":
            is_real[:, 1] = False
        # An event without its first phase is zero in the end; until then it is one that stands still.
        is_real[:, :1] = True
        shown = (inputs.mask & is_real)[:, :, None, None, None]
        flows = torch.where(shown, inputs.values, torch.zeros_like(inputs.values))
        lengths = scaled(magnitude(flows), LEAST_MOTION)
        if self.modulation is not None:
            flows = flows * self.modulation(lengths, is_real).unsqueeze(1)
        seen = torch.cat([flows, magnitude(flows).unsqueeze(2)], dim=2)
        count = 1 if self.config.phases == "contraction" else 2
        maps = [self.streams[min(k, len(self.streams) - 1)](seen[:, k]) for k in range(count)]
        fused = self._attended(self._fused(maps, is_real), lengths)
        pooled = self.dropout(fused.mean(dim=(-2, -1)).unsqueeze(-1)).squeeze(-1)
        features = self.project(pooled).unsqueeze(1)
        features = torch.where(is_event.unsqueeze(-1), features, torch.zeros_like(features))
        return Sequence(features, is_event, inputs.times[:, :1])

    def _fused(self, maps: list[Tensor], is_real: Tensor) -> Tensor:
        if len(maps) == 1:
            return maps[0]
        both = torch.stack(maps, dim=1)
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
        summary = torch.cat([fused.mean(dim=1, keepdim=True), fused.amax(dim=1, keepdim=True), small], dim=1)
        attended: Tensor = fused * (1 + torch.sigmoid(self.attention(summary)))
        return attended


def _stream(config: FMANetConfig) -> nn.Module:
    """Maps `(B, 3, H, W)` of u, v and magnitude to `(B, 2 width, H / 4, W / 4)`."""
    first, second = config.width, 2 * config.width
    # No normalization before the first layer is done: strong motion stays told from weak.
    return nn.Sequential(
        nn.Conv2d(3, first, kernel_size=3, padding=1), nn.GELU(), nn.AvgPool2d(2),
        nn.Conv2d(first, second, kernel_size=3, padding=1, bias=False), nn.GroupNorm(1, second), nn.GELU(),
        nn.AvgPool2d(2),
    )  # fmt: skip
