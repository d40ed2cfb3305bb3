"""Face detector `whole-frame`: for clips that are cropped to the face already."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FaceDetectorConfig
from affectkit.specs import FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class WholeFrameConfig(FaceDetectorConfig):
    """Takes every picture for one face that fills it. It looks at nothing, so it never finds that a face is missing."""


SPEC = FaceDetectorSpec(
    name="whole-frame",
    config=WholeFrameConfig,
    factory=lazy("affectkit.faces.whole_frame_detector:WholeFrame"),
    summary="The whole picture as one face, for cropped clips.",
)
