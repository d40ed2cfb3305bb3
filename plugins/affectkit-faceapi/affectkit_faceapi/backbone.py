"""Feature extractor `faceapi-backbone`: the convolutions of the expression network of face-api.js."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import (
    FeaturesConfig,
    FeaturesSpec,
    FeatureStream,
    FrameStream,
    StreamError,
    lazy,
    require_channels,
    require_unit,
)

SIZE = 112
DIM = 256


@dataclass(frozen=True, kw_only=True)
class FaceAPIBackboneConfig(FeaturesConfig):
    """Faces of 112 by 112 pixels in RGB to 256 features, frame by frame. No fields: its weights fit one shape."""

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, ("r", "g", "b"))
        require_unit(stream, "intensity")
        if (stream.height, stream.width) != (SIZE, SIZE):
            raise StreamError(f"size {stream.height}x{stream.width} is not accepted", f"accepts {SIZE}x{SIZE}")
        return FeatureStream(dim=DIM, fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="faceapi-backbone",
    config=FaceAPIBackboneConfig,
    factory=lazy("affectkit_faceapi.backbone_net:FaceAPIBackbone"),
    summary="Separable convolutions in four dense blocks, small and quick; the backbone of face-api.js.",
    citation="V. Mühler, face-api.js, 2018-2020, https://github.com/justadudewhohacks/face-api.js",
)
