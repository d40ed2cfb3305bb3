"""The module of `magnet`: encoder, manipulator and decoder of Oh et al. 2018, section 3.

    a, b ─▶ encoder ─▶ texture, shape      S = S_b + h((alpha - 1) g(S_b - S_a))      texture_b, S ─▶ decoder ─▶ frame

Texture is at a quarter of the frame's size, shape at half of it, both in 32 channels. Convolutions have no bias and
mirror the border; nothing is normalized. Frames go in, and come out, in [-1, 1]. What the paper leaves open is as the
published weights want it, and was measured with them: with `alpha - 1` a motion comes out `alpha` times as large, and
the convolutions that halve look at odd places (with even ones, pictures come out a pixel further down and right).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affectkit.interfaces import MotionFrontEnd, State
from affectkit.motion.frame_pairs_net import PairState, check_finite, pair_frames, real_frames
from affectkit.motion.magnet import MagNetConfig
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

_WIDTH = 32
# Of the halvings: of a frame for its shape, of that for the texture.
_STRIDE = 4


class MagNet(MotionFrontEnd[MagNetConfig]):
    """RGB frames `(B, T, 3, H, W)` in [0, 1] in, frames of the same shape with larger motion out; padding is zero."""

    def __init__(self, config: MagNetConfig, stream: FrameStream) -> None:
        super().__init__(config)
        config.output(stream)
        self.encoder, self.manipulator, self.decoder = Encoder(), Manipulator(), Decoder()
        self.requires_grad_(not config.frozen)

    @property
    def can_stream(self) -> bool:
        return True

    def forward(self, inputs: Sequence) -> Sequence:
        return self.step(inputs, None)[0]

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, PairState]:
        """The next frames of a clip, any number of them, and the state after them; `state` is None at its start.

        What is remembered is the shape of the frame to compare with, so that no frame is encoded twice.
        """
        check_finite(x_t, "magnet")
        height, width = x_t.values.shape[-2:]
        frames = F.pad(real_frames(x_t).flatten(0, 1), (0, -width % _STRIDE, 0, -height % _STRIDE), mode="replicate")
        texture, shape = self.encoder(2 * frames - 1)
        pairs = pair_frames(x_t.with_values(shape.unflatten(0, x_t.mask.shape)), self.config.reference, state)
        # what has nothing before it is compared with itself, and so looks like the frames after it
        valid = pairs.valid[:, :, None, None, None]
        before = torch.where(valid, pairs.references, pairs.frames).flatten(0, 1)
        moved = self.manipulator(before, pairs.frames.flatten(0, 1), self.config.alpha)
        made = ((self.decoder(texture, moved) + 1) / 2).clamp(0, 1)[..., :height, :width]
        made = real_frames(x_t.with_values(made.unflatten(0, x_t.mask.shape)))
        return x_t.with_values(made.to(x_t.values.dtype)), pairs.state


class Convolution(nn.Module):
    """A convolution with the border mirrored; no bias. One that halves has its middle at odd places."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, size, size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self._stride = stride

    def forward(self, x: Tensor) -> Tensor:
        after = self.weight.shape[-1] // 2
        before = after + 1 - self._stride
        return F.conv2d(F.pad(x, (before, after, before, after), mode="reflect"), self.weight, stride=self._stride)


class Residual(nn.Module):
    """Two convolutions, the first with ReLU, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Convolution(width, width, 3), Convolution(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x).relu())
        return x + y


class Encoder(nn.Module):
    """Frames `(N, 3, H, W)` to texture `(N, 32, H/4, W/4)` and shape `(N, 32, H/2, W/2)`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Convolution(3, _WIDTH // 2, 7), Convolution(_WIDTH // 2, _WIDTH, 3, 2)
        self.common = _residuals(3, _WIDTH)
        self.texture, self.texture_blocks = Convolution(_WIDTH, _WIDTH, 3, 2), _residuals(2, _WIDTH)
        self.shape_blocks = _residuals(2, _WIDTH)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        common = self.common(self.second(self.first(frames).relu()).relu())
        return self.texture_blocks(self.texture(common).relu()), self.shape_blocks(common)


class Manipulator(nn.Module):
    """The shape of a frame whose motion is `alpha` times that of `after`, from two shapes `(N, 32, H, W)`."""

    def __init__(self) -> None:
        super().__init__()
        self.g, self.h, self.h_block = Convolution(_WIDTH, _WIDTH, 7), Convolution(_WIDTH, _WIDTH, 3), Residual(_WIDTH)

    def forward(self, before: Tensor, after: Tensor, alpha: float) -> Tensor:
        difference = (alpha - 1) * self.g(after - before).relu()
        moved: Tensor = self.h_block(self.h(difference))
        return after + moved


class Decoder(nn.Module):
    """Texture and shape to frames `(N, 3, H, W)`."""

    def __init__(self) -> None:
        super().__init__()
        self.texture = Convolution(_WIDTH, _WIDTH, 3)
        self.blocks = _residuals(9, 2 * _WIDTH)
        self.first, self.second = Convolution(2 * _WIDTH, _WIDTH, 3), Convolution(_WIDTH, 3, 7)

    def forward(self, texture: Tensor, shape: Tensor) -> Tensor:
        texture = self.texture(_doubled(texture)).relu()
        joined = self.blocks(torch.cat([texture, shape], dim=1))
        made: Tensor = self.second(self.first(_doubled(joined)).relu())
        return made


def _residuals(count: int, width: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(count)))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
