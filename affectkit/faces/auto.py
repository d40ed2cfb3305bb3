"""Face detector `auto`: the best one that works on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FaceDetectorConfig
from affectkit.specs import FaceDetectorSpec, lazy


@dataclass(frozen=True, kw_only=True)
class AutoFacesConfig(FaceDetectorConfig):
    """`yunet`, if its weights are at hand or can be fetched; else `haar`, and a FallbackWarning says why.

    It is decided once, when the detector is built. A fetch is given up after five seconds of silence. To have the same
    detector on every machine, name it.
    """


SPEC = FaceDetectorSpec(
    name="auto",
    config=AutoFacesConfig,
    factory=lazy("affectkit.faces.auto_detector:AutoFaces"),
    summary="YuNet where its weights can be had, else OpenCV's Haar cascade.",
)
