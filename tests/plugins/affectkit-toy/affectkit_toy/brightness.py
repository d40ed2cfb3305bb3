"""Spotter `brightness`: an event is when the picture is not as bright as it was."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FrameStream, SpotterConfig, SpotterSpec, StreamError, lazy


@dataclass(frozen=True, kw_only=True)
class BrightnessConfig(SpotterConfig):
    """An event lasts while the mean brightness is away from that of the first frame.

    Attributes:
        threshold: how far away, in [0, 1].
    """

    threshold: float = 0.005

    def validate(self) -> None:
        if self.threshold < 0:
            raise ConfigError(f"{self.threshold!r} is negative", "write 0 or more", path="threshold")

    def check_input(self, stream: FrameStream) -> None:
        if stream.unit != "intensity" or stream.steps:
            raise StreamError(f"{stream} is not accepted", "give a window of intensities")


SPEC = SpotterSpec(
    name="brightness",
    config=BrightnessConfig,
    factory=lazy("affectkit_toy.brightness_spotter:Brightness"),
    summary="Events where the picture's brightness is away from the first frame's.",
)
