"""Face detector `yunet`: a small convolutional network, which onnxruntime runs."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import FaceDetectorConfig
from affectkit.faces.pictures import check_count, check_share
from affectkit.specs import FaceDetectorSpec, Weights, lazy

WEIGHTS = Weights(
    name="2023mar",
    url="https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    size=232589,
    license="MIT",
    training_data_terms="WIDER FACE (photos from the web; its publishers name no license)",
    preprocessing="BGR, 0 to 255, padded with zeros on the right and below to multiples of 32",
    citation="Wu, Peng and Yu: YuNet: A Tiny Millisecond-level Face Detector. Machine Intelligence Research, 2023.",
)


@dataclass(frozen=True, kw_only=True)
class YuNetConfig(FaceDetectorConfig):
    """Faces from about 10 to 500 pixels wide, turned up to a profile, with five landmarks.

    Landmarks: eye, eye, tip of the nose, corner of the mouth, corner of the mouth. Of each pair, the one that is on the
    left in the picture of an upright face comes first; the order is the person's, so it stays when the head is upside
    down. Boxes are not clipped: that of a face which the border cuts may stick out of the picture.

    Attributes:
        score_threshold: faces with a lower score are left out, in [0, 1].
        nms_threshold: of two boxes whose intersection over union is more than this, the one with the lower score is
            left out, in [0, 1].
        max_side: pictures are shrunk for detection until their longest side has at most this many pixels; faces that
            are then narrower than about 10 pixels are not found. None looks at every picture as it is: time and memory
            grow with its area.
        top_k: how many candidates, the best ones, are compared with each other.
        threads: threads of the network for one picture.
    """

    score_threshold: float = 0.6
    nms_threshold: float = 0.3
    max_side: int | None = 640
    top_k: int = 5000
    threads: int = 1

    def validate(self) -> None:
        check_share(self.score_threshold, "score_threshold")
        check_share(self.nms_threshold, "nms_threshold")
        check_count(self.max_side, "max_side", 32, "pixels")
        check_count(self.top_k, "top_k", 1, "candidates")
        check_count(self.threads, "threads", 1, "threads")


SPEC = FaceDetectorSpec(
    name="yunet",
    config=YuNetConfig,
    factory=lazy("affectkit.faces.yunet_detector:YuNet"),
    summary="YuNet: boxes, scores and five landmarks, in milliseconds on one CPU thread.",
    weights=(WEIGHTS,),
    citation=WEIGHTS.citation,
)
