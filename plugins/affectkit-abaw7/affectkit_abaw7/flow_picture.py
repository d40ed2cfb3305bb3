"""Motion front-end `flow-picture`: flow as a picture, for encoders of faces that take nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FrameStream, MotionConfig, MotionSpec, lazy, require_channels, require_unit
from affectkit.streams import RGB, with_changes


@dataclass(frozen=True, kw_only=True)
class FlowPictureConfig(MotionConfig):
    """Flow in pixels as RGB in [0, 1]: red is u, green is v, blue its length; gray where nothing moves.

    Each channel is `1/2 + tanh(g x) / 2` with a gain g per channel that is learned: what no motion reaches stays
    free of noise, and what is far is not cut off. An encoder of pictures then sees motion, by whatever weights.

    Attributes:
        gain: per pixel, above 0, from which each channel begins to learn.
    """

    gain: float = 2.0

    def validate(self) -> None:
        if not 0 < self.gain < float("inf"):
            raise ConfigError(f"{self.gain!r} is no gain", "write more than 0 per pixel", path="gain")

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, ("u", "v"))
        require_unit(stream, "pixel")
        return with_changes(stream, channels=RGB, unit="intensity")


SPEC = MotionSpec(
    name="flow-picture",
    config=FlowPictureConfig,
    factory=lazy("affectkit_abaw7.flow_picture_net:FlowPicture"),
    summary="Flow as an RGB picture, with a gain that is learned: for encoders that take pictures alone.",
)
