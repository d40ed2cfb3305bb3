"""Face detector `mediapipe-face`: MediaPipe's FaceLandmarker, every picture on its own."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import FaceDetectorConfig, FaceDetectorSpec, lazy
from affectkit.faces.pictures import check_count, check_share
from affectkit_mediapipe.bundle import BUNDLE, MEDIAPIPE


@dataclass(frozen=True, kw_only=True)
class MediaPipeFaceConfig(FaceDetectorConfig):
    """Faces near the camera, each with a mesh of 478 points in MediaPipe's order, in pixels of the picture.

    `Face.landmarks` are the 478 points, and `Face.five_points` are made of them, so that templates fit. The box is the
    smallest around the mesh: from chin to hairline, and beyond the picture where its border cuts the face.

    Attributes:
        max_faces: for how many detections of a picture a mesh is sought, those with the highest scores.
        score_threshold: faces with a lower detection score are left out, in [0, 1].
        presence_threshold: a mesh is left out where its own network doubts more that there is a face, in [0, 1].
    """

    max_faces: int = 10
    score_threshold: float = 0.5
    presence_threshold: float = 0.5

    def validate(self) -> None:
        check_count(self.max_faces, "max_faces", 1, "faces")
        check_share(self.score_threshold, "score_threshold")
        check_share(self.presence_threshold, "presence_threshold")


SPEC = FaceDetectorSpec(
    name="mediapipe-face",
    config=MediaPipeFaceConfig,
    factory=lazy("affectkit_mediapipe.face_detector:MediaPipeFace"),
    summary="MediaPipe's FaceLandmarker: boxes, scores and meshes of 478 points.",
    requires=(MEDIAPIPE,),
    weights=(BUNDLE,),
    citation=BUNDLE.citation,
)
