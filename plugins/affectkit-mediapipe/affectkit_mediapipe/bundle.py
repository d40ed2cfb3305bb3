"""The published file of MediaPipe's FaceLandmarker: where it is, what it holds, and what it needs."""

from __future__ import annotations

from affectkit import Requirement, Weights

PROVIDER = "affectkit-mediapipe"
INSTALL = f"pip install {PROVIDER}"
MEDIAPIPE = Requirement(module="mediapipe", install=INSTALL)

POINTS = 478
# The network of the detector inside the file, which is a zip.
DETECTOR_FILE = "face_detector.tflite"

# As the network orders them; left and right are the person's. Those of ARKit, but for tongueOut, and `_neutral` added.
BLENDSHAPES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip

BUNDLE = Weights(
    name="face-landmarker",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    size=3_758_596,
    license="Apache-2.0",
    training_data_terms="unknown (pictures of Google's own, not published)",
    preprocessing="RGB, 0 to 255; MediaPipe does the rest",
    targets=BLENDSHAPES,
    citation="Lugaresi et al., MediaPipe: A Framework for Building Perception Pipelines, 2019, arXiv 1906.08172.",
)
