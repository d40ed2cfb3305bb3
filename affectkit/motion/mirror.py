"""Frames from left to right: a front-end for variants of a pipeline, whose scores are averaged."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import MotionConfig
from affectkit.specs import MotionSpec, lazy
from affectkit.streams import FrameStream


@dataclass(frozen=True, kw_only=True)
class MirrorConfig(MotionConfig):
    """Every frame mirrored left to right; the sideways component of flow, channel `u`, changes its sign.

    A target of one side of the face means the other side then. `with_augmentations` refuses such targets.
    """

    @property
    def is_frozen(self) -> bool:
        return True

    def output(self, stream: FrameStream) -> FrameStream:
        return stream


SPEC = MotionSpec(
    name="mirror",
    config=MirrorConfig,
    factory=lazy("affectkit.motion.mirror_net:Mirror"),
    summary="Frames mirrored left to right.",
)
