"""The module of `optical-flow`."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.flow_maps_net import flow_maps
from affectkit.motion.frame_pairs_net import PairState, check_finite, luma, pair_frames, real_frames
from affectkit.motion.opencv_flow_net import PairFlow, opencv_flow
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.ops.clg import WINDOW as CLG_WINDOW, clg
from affectkit.ops.exporting import is_exporting
from affectkit.ops.lucas_kanade import WINDOW, lucas_kanade
from affectkit.ops.rigid_flow import rigid_flow
from affectkit.ops.tv_l1 import check_numba, tv_l1
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream


class OpticalFlow(MotionFrontEnd[OpticalFlowConfig]):
    """RGB or gray frames `(B, T, C, H, W)` in, flow `(B, T, 2 to 4, H, W)` in pixels out; phases make T less by one."""

    def __init__(self, config: OpticalFlowConfig, stream: FrameStream) -> None:
        super().__init__(config)
        self._channels, self._steps = config.output(stream).channels, stream.steps
        self._flow: PairFlow
        if config.method == "lucas-kanade":
            # `or` takes None alone: `validate` refuses 0
            self._flow = functools.partial(lucas_kanade, window=config.window or WINDOW)
        elif config.method == "combined-local-global":
            self._flow = functools.partial(clg, window=config.window or CLG_WINDOW)
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
        if inputs.values.shape[1] != len(self._steps):
            needs = f"{len(self._steps)}: {', '.join(self._steps[:-1])} and {self._steps[-1]}"
            raise InputError(f"optical-flow: {inputs.values.shape[1]} frames; pairs='phases' needs {needs}")
        check_finite(inputs, "optical-flow")
        frames = real_frames(inputs)
        mask = inputs.mask[:, :-1] & inputs.mask[:, 1:]
        return Sequence(self._flows(frames[:, :-1], frames[:, 1:], mask), mask, inputs.times[:, 1:])

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, PairState]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start."""
        if self.config.pairs == "phases":
            raise InputError("optical-flow: pairs='phases' can't stream; use pairs='previous' or 'first'")
        check_finite(x_t, "optical-flow")
        pairs = pair_frames(x_t, self.config.pairs, state)
        return x_t.with_values(self._flows(pairs.references, pairs.frames, pairs.valid)), pairs.state

    def _flows(self, before: Tensor, after: Tensor, valid: Tensor) -> Tensor:
        """Flow of the valid pairs of `(B, T, C, H, W)`, zero elsewhere: `(B, T, 2 to 4, H, W)`."""
        if is_exporting():
            # one graph for every mask; differentiable methods alone get as far as that
            first, second = (luma(frames.flatten(0, 1)).squeeze(-3) for frames in (before, after))
            maps = self._maps(first, second)
            maps = maps.reshape(*valid.shape, *maps.shape[1:])
            return torch.where(valid[..., None, None, None], maps, 0.0).to(before.dtype)
        # only real pairs are computed below: a flow costs milliseconds, and one from or to zeros would mean nothing
        flows = before.new_zeros(*before.shape[:2], len(self._channels), *before.shape[-2:])
        if not valid.any():
            return flows
        # float32 at least: half precision errs by more than these motions
        dtype = torch.promote_types(before.dtype, torch.float32)
        first, second = (luma(frames[valid].to(dtype)).squeeze(-3) for frames in (before, after))
        return flows.index_put((valid,), self._maps(first, second).to(flows.dtype))

    def _maps(self, first: Tensor, second: Tensor) -> Tensor:
        """Maps `(N, 2 to 4, H, W)` of the motion from `first` to `second`, `(N, H, W)`."""
        flow = self._flow(first, second)
        if self.config.rigid == "subtract":
            flow = flow - rigid_flow(flow, "similarity")
        return flow_maps(flow, self._channels)
