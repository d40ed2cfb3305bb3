"""Feature extractor `mediapipe-blendshapes`: the 52 blendshapes of MediaPipe's FaceLandmarker, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import (
    FeaturesConfig,
    FeaturesSpec,
    FeatureStream,
    FrameStream,
    lazy,
    require_channels,
    require_size,
    require_unit,
)
from affectkit.faces.pictures import check_share
from affectkit_mediapipe.bundle import BLENDSHAPES, BUNDLE, MEDIAPIPE

LEAST_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class MediaPipeBlendshapesConfig(FeaturesConfig):
    """Cuts of faces in RGB, of 64 pixels or more, to 52 scores in [0, 1] in the order of `bundle.BLENDSHAPES`.

    MediaPipe looks for the face in the cut, so the cut should show all of it and something around it: alignment
    `steady` does. Of several faces the one nearest the middle counts. A frame in which none is found has 52 zeros,
    which no face gives. Always frozen; published weights have to be loaded before it runs.

    Attributes:
        score_threshold: of the detector, in [0, 1].
        presence_threshold: of the mesh, in [0, 1].
    """

    score_threshold: float = 0.5
    presence_threshold: float = 0.5

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        check_share(self.score_threshold, "score_threshold")
        check_share(self.presence_threshold, "presence_threshold")

    def output(self, stream: FrameStream) -> FeatureStream:
        require_channels(stream, ("r", "g", "b"))
        require_unit(stream, "intensity")
        require_size(stream, at_least=LEAST_SIDE)
        return FeatureStream(dim=len(BLENDSHAPES), fps=stream.fps, steps=stream.steps)


SPEC = FeaturesSpec(
    name="mediapipe-blendshapes",
    config=MediaPipeBlendshapesConfig,
    factory=lazy("affectkit_mediapipe.blendshape_features_net:MediaPipeBlendshapes"),
    summary="The 52 blendshapes of MediaPipe's FaceLandmarker, for every frame.",
    requires=(MEDIAPIPE,),
    weights=(BUNDLE,),
    loader=lazy("affectkit_mediapipe.blendshape_weights:load_state"),
    citation=BUNDLE.citation,
)
