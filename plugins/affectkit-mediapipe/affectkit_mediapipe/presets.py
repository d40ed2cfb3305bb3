"""Preset `mediapipe-au-proxies`: blendshapes of every frame, and proxies of action units made of them."""

from __future__ import annotations

from affectkit import Branch, Frames, FrameStream, PipelineConfig, PipelineSpec, lazy
from affectkit_mediapipe.au_proxies import AUProxiesConfig
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.blendshape_head import BlendshapesConfig
from affectkit_mediapipe.bundle import BUNDLE

# The side at which the network of the mesh looks at a face.
SIDE = 256
FEATURES_PATH = "branches.face.features"


def make_au_proxies() -> PipelineConfig:
    """The preset's config: every frame on its own."""
    return PipelineConfig(
        # of the templates, the one with the most around the face; it is followed, and not set anew in every frame
        input=FrameStream(height=SIDE, width=SIDE, alignment="steady"),
        sampling=Frames(),
        branches={"face": Branch(features=MediaPipeBlendshapesConfig())},
        heads={"blendshapes": BlendshapesConfig()},
        maps={"au_proxies": AUProxiesConfig(source="blendshapes")},
    )


PRESET = PipelineSpec(
    name="mediapipe-au-proxies",
    config=make_au_proxies,
    summary="52 blendshapes of every frame by MediaPipe, and proxies of action units made of them.",
    weights=BUNDLE,
    loader=lazy("affectkit_mediapipe.blendshape_weights:load_preset_state"),
    citation=BUNDLE.citation,
)
