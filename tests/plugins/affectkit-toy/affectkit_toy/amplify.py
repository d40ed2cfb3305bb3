"""Motion front-end `amplify`: makes small changes larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from affectkit import FrameStream, MotionConfig, MotionSpec, StreamError, dial, lazy


@dataclass(frozen=True, kw_only=True)
class AmplifyConfig(MotionConfig):
    """The change of every frame since the first real one, times alpha and a learned gain per channel, in [0, 1].

    Attributes:
        alpha: magnification factor.
        aux_weight: factor of the auxiliary loss, which is what had to be cut off at 0 and 1.
    """

    context: ClassVar[int] = 2
    alpha: float = dial(4.0, choices=(1.0, 2.0, 4.0, 8.0))
    aux_weight: float = 0.1

    def output(self, stream: FrameStream) -> FrameStream:
        if stream.unit != "intensity":
            raise StreamError(f"unit {stream.unit!r} is not accepted", "accepts 'intensity'")
        return stream


SPEC = MotionSpec(
    name="amplify",
    config=AmplifyConfig,
    factory=lazy("affectkit_toy.amplify_net:Amplify"),
    summary="Changes since the first frame, magnified.",
)
