"""Magnified motion: a network that draws each frame as if it had moved alpha times as far since the first one.

FlowMag (Pan, Geng and Owens 2023, arXiv 2311.17056), learned without labels: the flow to the drawn frame shall be alpha
times the flow to the real one, and brought back along their flows both shall look alike. F is a fixed flow, I_0 the
first frame, I_t another, J what is drawn for it:

    J = sigmoid(logit(I_t) + (alpha - 1) UNet(I_0, I_t - I_0, encoding of alpha))
    magnification = mean |F(I_0, J) - alpha F(I_0, I_t)|
    color         = mean |J(x + F(I_0, J)) - I_t(x + F(I_0, I_t))|

It is the frame form of the magnifier of arXiv 2503.24057. In the paper the network sees I_0 and I_t and draws J itself.
Here it sees their difference, so that small motions are not lost beside the picture, and gives the change per step of
alpha, so that a factor of 1 is a copy. F is one of this project's flows, in place of RAFT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError
from affectkit.fields import dial
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_unit

# from which the published training draws its factors (arXiv 2311.17056)
ALPHAS = (1.0, 16.0)


@dataclass(frozen=True, kw_only=True)
class FrameMagnifierConfig(MotionConfig):
    """Frames in, frames of the same kind out, whose motion since the first real frame of the clip is `alpha` times it.

    The first frame stays as it is, and so does what has a factor of 1. It has to be trained, by its own losses;
    untrained it nearly copies. The losses follow a flow that is made for up to two pixels: `alpha` times the motion
    should be no more.

    Attributes:
        alpha: the factor, more than 0; 1 is no change.
        sample_alpha: whether in training each clip has a factor of its own, log-uniform from 1 to 16, as published, so
            that `alpha` can be turned afterwards; otherwise it is `alpha` there too.
        region: left, top, right and bottom of what is magnified, as shares of the frame; nothing changes outside of it.
            None for the whole frame.
        width: channels of the network at full size; published: 64.
        levels: how often the network halves the size; published: 4.
        norm: normalization in the network: of a few channels of one frame (`group`), over the `batch` as published, or
            `none`.
        flow: the fixed flow of the losses, see `optical-flow`; both pass gradients.
        color_weight: factor of the color loss beside the magnification loss, at least 0. Published is 10, for motions
            of many pixels; where they are below one, with 10 the network goes on copying.
        aux_weight: factor of both losses beside those of the heads, at least 0.
    """

    context: ClassVar[int] = 2
    alpha: float = dial(4.0, low=ALPHAS[0], high=ALPHAS[1])
    sample_alpha: bool = True
    region: tuple[float, float, float, float] | None = None
    width: int = 16
    levels: int = 3
    norm: Literal["group", "batch", "none"] = "group"
    flow: Literal["lucas-kanade", "combined-local-global"] = "lucas-kanade"
    color_weight: float = 1.0
    aux_weight: float = 1.0

    def validate(self) -> None:
        if self.alpha <= 0:
            raise ConfigError(f"{self.alpha!r} is no factor", "write more than 0; 1 is no change", path="alpha")
        if self.width < 1:
            raise ConfigError(f"{self.width!r} is less than 1", "write 1 or more", path="width")
        for name in ("levels", "color_weight", "aux_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{getattr(self, name)!r} is negative", "write 0 or more", path=name)
        if self.region is not None:
            left, top, right, bottom = self.region
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                fact = f"{self.region!r} is no box within the frame"
                raise ConfigError(fact, "write (left, top, right, bottom), each from 0.0 to 1.0", path="region")

    def output(self, stream: FrameStream) -> FrameStream:
        """The stream itself; raises StreamError unless it holds pictures, RGB or gray."""
        require_channels(stream, RGB, ("gray",))
        require_unit(stream, "intensity")
        return stream


SPEC = MotionSpec(
    name="frame-magnifier",
    config=FrameMagnifierConfig,
    factory=lazy("affectkit.motion.frame_magnifier_net:FrameMagnifier"),
    summary="Magnifies motion since the first frame, by a network that learns from flow without labels.",
    citation="Pan, Geng and Owens 2023, arXiv 2311.17056",
)
