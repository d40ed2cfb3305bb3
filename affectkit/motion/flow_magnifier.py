"""Flow magnifier: a network that makes motion larger, learned together with what recognizes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import MotionConfig
from affectkit.errors import ConfigError
from affectkit.fields import dial
from affectkit.motion.head_compensation import CHANNELS
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import FrameStream, require_channels, require_unit, with_changes

ALPHAS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0)


@dataclass(frozen=True, kw_only=True)
class FlowMagnifierConfig(MotionConfig):
    """Flow in, magnified flow out: the adaptive motion magnification of AMMSM (arXiv 2503.24057).

    The paper states a UNet that takes the flow and a map of alpha, one factor per pixel, a loss `|alpha flow -
    flow_mag|_1`, and that it is trained jointly with the classifier. Depth, widths, normalization, the encoding of
    alpha and the weight of the loss are not stated where we could read it: they are fields here, and the defaults are
    ours. The least of the loss alone is plain scaling. So it is an anchor, and its weight says how far the classifier
    may bend the motion away from that.

    Each frame is treated alone; unit and T stay as they are, and channels unless `magnitude` adds one. Strain and
    magnitude, where the stream has them, grow with the flow, and are magnified by the same factor. Flow of unit
    `relative` has lost its size already, so that alpha is a mere scale there.

    Attributes:
        alpha: magnification factor, above 0: how many times as large motion becomes. A dial.
        region: left, top, right and bottom as shares of the picture, inside which alpha holds; 1 holds around it. Left
            out, the whole picture.
        is_residual: whether the network adds to `alpha flow`, starting from exactly that, or makes all of the result.
        magnitude: whether to append the length of the magnified flow, as the last channel.
        width: channels of the network's first level; each further one has twice as many.
        levels: how often it halves the picture.
        norm: what follows its convolutions: statistics of a few channels of one map (`group`), of the real steps of a
            `batch`, or `none`, which keeps the size of the motion.
        alpha_channels: how it sees alpha: as so many sines and cosines, an even number (32 as FlowMag, arXiv
            2311.17056); or 1, the number as it is.
        aux_weight: lambda, of the loss.
    """

    alpha: float = dial(4.0, choices=ALPHAS)
    region: tuple[float, float, float, float] | None = None
    is_residual: bool = True
    magnitude: bool = False
    width: int = 16
    levels: int = 2
    norm: Literal["none", "group", "batch"] = "none"
    alpha_channels: int = 32
    aux_weight: float = 1.0

    def validate(self) -> None:
        if self.alpha <= 0:
            raise ConfigError(
                f"{self.alpha!r} is no factor", "write more than 0; 1 leaves motion as it is", path="alpha"
            )
        for name in ("width", "levels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too small", "write 1 or more", path=name)
        if self.alpha_channels < 1 or (self.alpha_channels > 1 and self.alpha_channels % 2):
            raise ConfigError(
                f"{self.alpha_channels!r} is neither 1 nor an even number", "write 1, 2, 4, ...", path="alpha_channels"
            )
        if self.aux_weight < 0:
            raise ConfigError(f"{self.aux_weight!r} is below 0", "write 0 or more", path="aux_weight")
        if self.region is not None:
            left, top, right, bottom = self.region
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                suggestion = (
                    "write left, top, right and bottom as shares, 0 <= left < right <= 1 and top < bottom alike"
                )
                raise ConfigError(f"{self.region!r} is no region", suggestion, path="region")

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, *CHANNELS)
        require_unit(stream, "pixel", "iod", "relative")
        if not self.magnitude:
            return stream
        if "magnitude" in stream.channels:
            raise ConfigError("True, and the flow has one", "write magnitude=False here or there", path="magnitude")
        return with_changes(stream, channels=(*stream.channels, "magnitude"))


SPEC = MotionSpec(
    name="flow-magnifier",
    config=FlowMagnifierConfig,
    factory=lazy("affectkit.motion.flow_magnifier_net:FlowMagnifier"),
    summary="A UNet that magnifies optical flow by alpha, learned with the classifier (AMMSM).",
    citation="arXiv 2503.24057",
)
