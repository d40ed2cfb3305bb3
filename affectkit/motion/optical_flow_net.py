"""The module of `optical-flow`, and the optical strain of a flow."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.errors import InputError
from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.frame_pairs_net import PairState, luma, pair_frames, real_frames
from affectkit.motion.opencv_flow_net import PairFlow, opencv_flow
from affectkit.motion.optical_flow import KEYFRAMES, OpticalFlowConfig
from affectkit.ops.lucas_kanade import WINDOW, lucas_kanade
from affectkit.ops.rigid_motion import subtract_rigid
from affectkit.ops.tv_l1 import check_numba, tv_l1
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class OpticalFlow(MotionFrontEnd[OpticalFlowConfig]):
    """RGB or gray frames `(B, T, C, H, W)` in, flow `(B, T, 2 or 3, H, W)` in pixels out; phases make T = 3 to 2."""

    def __init__(self, config: OpticalFlowConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        self._flow: PairFlow
        if config.method == "lucas-kanade":
            # `or` takes None alone: `validate` refuses 0
            self._flow = functools.partial(lucas_kanade, window=config.window or WINDOW)
        elif config.method == "tv-l1":
            check_numba()
            self._flow = tv_l1
        else:
            self._flow = opencv_flow(config.method)

    @property
    def can_stream(self) -> bool:
        """True unless the pairs are `phases`, which need the whole event."""
        return self.config.pairs != "phases"

    def forward(self, inputs: Sequence) -> Sequence:
        if self.config.pairs != "phases":
            return self.step(inputs, None)[0]
        if inputs.values.shape[1] != len(KEYFRAMES):
            raise InputError(
                f"optical-flow: {inputs.values.shape[1]} frames; pairs='phases' needs 3: onset, apex and offset"
            )
        frames = real_frames(inputs)
        mask = inputs.mask[:, :-1] & inputs.mask[:, 1:]
        return Sequence(self._flows(frames[:, :-1], frames[:, 1:], mask), mask, inputs.times[:, 1:])

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, PairState]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start."""
        if self.config.pairs == "phases":
            raise InputError("optical-flow: pairs='phases' can't stream; use pairs='previous' or 'first'")
        pairs = pair_frames(x_t, self.config.pairs, state)
        return x_t.with_values(self._flows(pairs.references, pairs.frames, pairs.valid)), pairs.state

    def _flows(self, before: Tensor, after: Tensor, valid: Tensor) -> Tensor:
        """Flow of the valid pairs of `(B, T, C, H, W)`, zero elsewhere: `(B, T, 2 or 3, H, W)`."""
        channels = 3 if self.config.strain else 2
        # only real pairs are computed below: a flow costs milliseconds, and one from or to zeros would mean nothing
        flows = before.new_zeros(*before.shape[:2], channels, *before.shape[-2:])
        if not valid.any():
            return flows
        # float32 at least: half precision errs by more than these motions
        dtype = torch.promote_types(before.dtype, torch.float32)
        first, second = (luma(frames[valid].to(dtype)).squeeze(-3) for frames in (before, after))
        flow = self._flow(first, second)
        if self.config.rigid == "subtract":
            flow = subtract_rigid(flow)
        if self.config.strain:
            flow = torch.cat([flow, optical_strain(flow)], dim=1)
        return flows.index_put((valid,), flow.to(flows.dtype))


def optical_strain(flow: Tensor) -> Tensor:
    """Optical strain `sqrt(ux^2 + vy^2 + (uy + vx)^2 / 2)` of flow `(N, 2, H, W)`, as `(N, 1, H, W)`.

    Shreve, Godavarthy, Goldgof and Sarkar, "Macro- and micro-expression spotting in long videos using spatio-temporal
    strain", FG 2011. Forward differences; zero across the last row and column. Its gradient is zero where it is zero.
    """
    dx = F.pad(flow[..., :, 1:] - flow[..., :, :-1], (0, 1, 0, 0))
    dy = F.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1))
    # the shear e_xy = (uy + vx) / 2 stands in the tensor twice: 2 e_xy^2, hence the half
    squared = dx[:, :1] ** 2 + dy[:, 1:] ** 2 + (dy[:, :1] + dx[:, 1:]) ** 2 / 2
    # the root's slope at 0 is infinite: without the inner `where`, infinity times zero is a NaN gradient
    moved = squared > 0
    return torch.where(moved, torch.sqrt(torch.where(moved, squared, torch.ones_like(squared))), squared)
