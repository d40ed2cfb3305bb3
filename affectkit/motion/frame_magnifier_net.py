"""The module of `frame-magnifier`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.frame_magnifier import ALPHAS, FrameMagnifierConfig
from affectkit.motion.frame_pairs_net import PairState, check_finite, luma, pair_frames
from affectkit.motion.unet_net import ALPHA_CHANNELS, UNet, encode_alpha
from affectkit.ops.clg import clg
from affectkit.ops.lucas_kanade import lucas_kanade
from affectkit.ops.warping import warp
from affectkit.sequences import Losses, Sequence, Targets
from affectkit.streams import FrameStream

# half a gray level of 255: black and white have no logit
_EDGE = 1 / 510
# brings the differences of a small motion to about the size of the picture's own values
_CONTRAST = 5.0


class FrameMagnifier(MotionFrontEnd[FrameMagnifierConfig]):
    """RGB or gray frames `(B, T, C, H, W)` in [0, 1] in, magnified ones out; zero for padding."""

    def __init__(self, config: FrameMagnifierConfig, stream: FrameStream) -> None:
        super().__init__(config)
        channels = len(config.output(stream).channels)
        inside = 2 * channels + ALPHA_CHANNELS
        self.unet = UNet(inside, channels, width=config.width, levels=config.levels, norm=config.norm)
        # nearly a copy at first, and not quite, since through zeros no gradient would reach the layers before
        with torch.no_grad():
            self.unet.leave.weight.mul_(0.01)
            torch.nn.init.zeros_(self.unet.leave.bias)  # type: ignore[arg-type]

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        """`extras` hold the factor of each clip, `alpha` `(B,)`: drawn in training, if so configured.

        Raises:
            InputError: NaN or infinity in a real frame.
        """
        return self.step(inputs, None)[0]

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, PairState]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start."""
        check_finite(x_t, "frame-magnifier")
        pairs = pair_frames(x_t, "first", state)
        alpha = self._alpha(x_t)
        drawn = pairs.frames
        if pairs.valid.any():
            maps = self._alpha_map(alpha, pairs.valid, pairs.frames)
            magnified = self.magnify(pairs.references[pairs.valid], pairs.frames[pairs.valid], maps)
            # the first frame, with which nothing can be compared, stays as it is
            drawn = drawn.index_put((pairs.valid,), magnified)
        return Sequence(drawn, x_t.mask, x_t.times, {"alpha": alpha}), pairs.state

    def magnify(self, references: Tensor, frames: Tensor, alpha_map: Tensor) -> Tensor:
        """`frames` as if each pixel had moved by its own factor.

        Arguments:
            references: `(N, C, H, W)`, where the motion begins, in [0, 1].
            frames: `(N, C, H, W)`, where it ends, in [0, 1].
            alpha_map: factors `(N, 1, H, W)`, more than 0; where it is 1, nothing changes by more than rounding, and by
                half a gray level at black and white.

        Returns:
            `(N, C, H, W)` in [0, 1], in the type of `frames`.
        """
        # a motion below a pixel changes a picture by a few gray levels, which beside it would hardly be seen
        pictures = torch.cat([2 * references - 1, _CONTRAST * (frames - references)], dim=1)
        encoded = encode_alpha(alpha_map).to(frames.dtype)
        exact = torch.promote_types(frames.dtype, torch.float32)
        change = (alpha_map - 1) * self.unet(torch.cat([pictures, encoded], dim=1)).to(exact)
        drawn = torch.sigmoid(torch.logit(frames.to(exact), eps=_EDGE) + change)
        return drawn.to(frames.dtype)

    def auxiliary(self, inputs: Sequence, output: Sequence, targets: Mapping[str, Targets]) -> Losses:
        """`magnification` in pixels and `color` in intensities, equations in `frame_magnifier`; no labels needed."""
        pairs = pair_frames(inputs, "first", None)
        assert output.extras is not None
        if not pairs.valid.any():
            nothing = output.values.sum() * 0.0
            return {"magnification": nothing, "color": nothing}
        exact = torch.promote_types(inputs.values.dtype, torch.float32)
        first, frames, drawn = (one[pairs.valid].to(exact) for one in (pairs.references, pairs.frames, output.values))
        alpha = self._alpha_map(output.extras["alpha"], pairs.valid, pairs.frames)
        # what is to be matched teaches nothing to the stages before
        with torch.no_grad():
            moved = self._flow(first, frames)
            wanted = warp(frames, moved)
        made = self._flow(first, drawn)
        color = (warp(drawn, made) - wanted).abs().mean()
        return {
            "magnification": (made - alpha.to(exact) * moved).abs().mean(),
            "color": self.config.color_weight * color,
        }

    def _flow(self, first: Tensor, second: Tensor) -> Tensor:
        flow = lucas_kanade if self.config.flow == "lucas-kanade" else clg
        return flow(luma(first).squeeze(1), luma(second).squeeze(1))

    def _alpha(self, inputs: Sequence) -> Tensor:
        """The factor of each clip, `(B,)`."""
        alpha = torch.full(inputs.mask.shape[:1], self.config.alpha, device=inputs.values.device)
        if not (self.training and self.config.sample_alpha):
            return alpha
        low, high = (math.log(value) for value in ALPHAS)
        return torch.exp(low + (high - low) * torch.rand_like(alpha))

    def _alpha_map(self, alpha: Tensor, valid: Tensor, frames: Tensor) -> Tensor:
        """Factors `(N, 1, H, W)` of the valid pairs: the clip's in the region, 1 outside."""
        height, width = frames.shape[-2:]
        left, top, right, bottom = self.config.region or (0.0, 0.0, 1.0, 1.0)
        inside = torch.zeros(height, width, dtype=torch.bool, device=alpha.device)
        # outwards, so that a narrow region is never empty
        rows, columns = (math.floor(top * height), math.ceil(bottom * height)), (left * width, right * width)
        inside[rows[0] : rows[1], math.floor(columns[0]) : math.ceil(columns[1])] = True
        per_pair = alpha.unsqueeze(1).expand_as(valid)[valid]
        return torch.where(inside, per_pair[:, None, None, None], 1.0)
