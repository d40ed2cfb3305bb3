"""The module of `mm-cof`, and its steps as functions. Symbols as in arXiv 2510.07810, section on MM-COF:

    M_k = sqrt(u_k^2 + v_k^2), k = 1: onset to apex, k = 2: apex to offset
    N_k = (M_k - min M_k) / (max M_k - min M_k)
    M_c = theta_1 N_1 + theta_2 N_2
    M_mm = cut(M_c g), with the gain g = g_hi where M_c >= tau, else g_lo          (hard)
                            g = g_lo + (g_hi - g_lo) sigmoid(k (M_c - tau))        (soft)

What tau, the gains and theta are the paper doesn't say (`MMCOFConfig`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.interfaces import MotionFrontEnd
from affectkit.motion.flow_maps_net import magnitude
from affectkit.motion.frame_pairs_net import check_finite
from affectkit.motion.mm_cof import MMCOFConfig
from affectkit.motion.optical_flow import KEYFRAMES
from affectkit.motion.optical_flow_net import OpticalFlow
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class MMCOF(MotionFrontEnd[MMCOFConfig]):
    """Three frames or two flows in, `(B, 3, C, H, W)` or `(B, 2, 2, H, W)`; one map out, `(B, 1, 1 or 3, H, W)`.

    The map's values are in [0, 1]; those of a vector in [-1, 1]. It has the time of the apex.
    """

    def __init__(self, config: MMCOFConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        self.flow = OpticalFlow(config.flow, stream) if stream.steps == KEYFRAMES else None

    @property
    def can_stream(self) -> bool:
        """False: a map needs the whole event."""
        return False

    def forward(self, inputs: Sequence) -> Sequence:
        check_finite(inputs, "mm-cof")
        flows = inputs if self.flow is None else self.flow(inputs)
        if flows.values.shape[1] != 2:
            raise InputError(f"mm-cof: {flows.values.shape[1]} flows; needs 2: contraction and relaxation")
        is_real = flows.mask[:, :, None, None, None]
        values = torch.where(is_real, flows.values, 0.0)
        # float32 at least: the scaling to [0, 1] divides by small numbers
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        lengths = magnitude(values)
        # What is missing leaves its weight to the other phase.
        theta = torch.tensor(self.config.theta, dtype=values.dtype, device=values.device)
        weights = torch.where(
            flows.mask.all(dim=1, keepdim=True), theta, theta.new_tensor([sum(self.config.theta), 0.0])
        )
        combined = (weights[:, :, None, None] * scaled(lengths, self.config.least_motion)).sum(dim=1)
        modulated = self._modulated(combined)
        encoded = self._encoded(modulated, values[:, 0], lengths[:, 0])
        # Without the first phase there is no event.
        mask = flows.mask[:, :1]
        encoded = torch.where(mask[:, :, None, None], encoded, 0.0)
        return Sequence(encoded.unsqueeze(1).to(inputs.values.dtype), mask, flows.times[:, :1])

    def _modulated(self, combined: Tensor) -> Tensor:
        config = self.config
        pixels = combined.flatten(1)
        if config.threshold == "mean":
            tau = pixels.mean(dim=1) + config.spread * pixels.std(dim=1, unbiased=False)
        else:
            tau = torch.quantile(pixels, config.percentile / 100, dim=1)
        low, high = config.gains
        return modulate(combined, tau[:, None, None], low, high, config.steepness)

    def _encoded(self, modulated: Tensor, flow: Tensor, length: Tensor) -> Tensor:
        if self.config.encoding == "magnitude":
            return modulated.unsqueeze(1)
        if self.config.encoding == "color":
            return colored(flow, modulated)
        # where nothing moves there is no direction
        is_moved = length > 0
        direction = torch.where(is_moved.unsqueeze(1), flow / torch.where(is_moved, length, 1).unsqueeze(1), 0)
        return torch.cat([direction * modulated.unsqueeze(1), modulated.unsqueeze(1)], dim=1)


def scaled(lengths: Tensor, least: float) -> Tensor:
    """Each map of `(..., H, W)` from 0 at its least to 1 at its largest; zeros if these differ by less than `least`."""
    smallest, largest = lengths.amin(dim=(-2, -1), keepdim=True), lengths.amax(dim=(-2, -1), keepdim=True)
    span = largest - smallest
    is_moved = (span >= least) & (span > 0)
    return torch.where(is_moved, (lengths - smallest) / torch.where(is_moved, span, 1), 0.0)


def modulate(combined: Tensor, tau: Tensor, low: float, high: float, steepness: float | None) -> Tensor:
    """Values from `tau` on times `high`, others times `low`; at most 1; softly if there is a steepness."""
    if steepness is None:
        gain = torch.where(combined >= tau, high, low)
    else:
        gain = low + (high - low) * torch.sigmoid(steepness * (combined - tau))
    return (combined * gain).clamp(0, 1)


def colored(flow: Tensor, value: Tensor) -> Tensor:
    """Pictures `(B, 3, H, W)` in [0, 1]: hue from flow `(B, 2, H, W)`, value `(B, H, W)`, saturation 1.

    Red is to the right, and hue goes clockwise as seen, since v points down.
    """
    u, v = flow.unbind(dim=-3)
    # in sixths of a turn, 0 to 6; of no motion 0, and black
    hue = torch.atan2(v, torch.where((u == 0) & (v == 0), 1, u)) * (3 / torch.pi) % 6
    ramps = [(offset + hue) % 6 for offset in (5, 3, 1)]
    return torch.stack([value * (1 - torch.minimum(ramp, 4 - ramp).clamp(0, 1)) for ramp in ramps], dim=-3)
