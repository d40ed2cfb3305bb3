"""Face detector `center-face`: the middle of the picture, if there is something in it."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FaceDetectorConfig, FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class CenterFaceConfig(FaceDetectorConfig):
    """For portraits: no search, only a look at the contrast.

    Attributes:
        contrast: standard deviation of the brightness, in [0, 255], below which there is no face.
    """

    contrast: float = 5.0

    def validate(self) -> None:
        if self.contrast < 0:
            raise ConfigError(f"{self.contrast!r} is negative", "write 0 or more", path="contrast")


SPEC = FaceDetectorSpec(
    name="center-face",
    config=CenterFaceConfig,
    factory=lazy("affectkit_toy.center_face_detector:CenterFace"),
    summary="The middle of a portrait, unless it is blank.",
)
