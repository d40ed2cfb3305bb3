"""Preset `expression`: the whole network of face-api.js, with the weights that its author published."""

from __future__ import annotations

from affectkit import Branch, ExpressionConfig, Frames, FrameStream, PipelineConfig, PipelineSpec, Weights, lazy
from affectkit_faceapi.backbone import SIZE, SPEC, FaceAPIBackboneConfig

# In the order of the network's outputs, which face-api.js calls neutral, happy, sad, angry, fearful, disgusted and
# surprised; these are affectkit's names for them.
TARGETS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")

_FOLDER = "https://raw.githubusercontent.com/justadudewhohacks/face-api.js/master/weights/"
_TERMS = "unknown (public datasets and pictures from the web, not named)"

SHARD = Weights(
    name="face-expression-shard",
    url=f"{_FOLDER}face_expression_model-shard1",
    sha256="9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    size=329_468,
    license="MIT",
    training_data_terms=_TERMS,
    preprocessing="faces of 112x112 pixels, RGB, less the mean color, over 255",
    targets=TARGETS,
    citation=SPEC.citation,
)
MANIFEST = Weights(
    name="face-expression-manifest",
    url=f"{_FOLDER}face_expression_model-weights_manifest.json",
    sha256="960cbe959fe0328965dd18662d839f197df6e27607da4f726cd0c826e47fc936",
    size=6_384,
    license="MIT",
    training_data_terms=_TERMS,
    preprocessing="says how the bytes of face-expression-shard are read",
    citation=SPEC.citation,
)


def make_expression() -> PipelineConfig:
    """The preset's config: every frame on its own."""
    return PipelineConfig(
        input=FrameStream(height=SIZE, width=SIZE, alignment="dlib"),
        sampling=Frames(),
        branches={"face": Branch(features=FaceAPIBackboneConfig())},
        heads={"expression": ExpressionConfig(targets=TARGETS)},
    )


PRESET = PipelineSpec(
    name="expression",
    config=make_expression,
    summary="Seven basic expressions of every frame, by the network of face-api.js (0.3 MB of weights).",
    weights=(SHARD, MANIFEST),
    loader=lazy("affectkit_faceapi.weights:load_state"),
    citation=SPEC.citation,
)
