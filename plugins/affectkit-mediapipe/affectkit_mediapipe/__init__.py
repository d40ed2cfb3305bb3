"""MediaPipe's FaceLandmarker for affectkit. The entry point names this module; neither torch nor mediapipe in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit import ComponentSpec, PipelineSpec, hookimpl
from affectkit_mediapipe import au_proxies, blendshape_features, blendshape_head, face, presets
from affectkit_mediapipe.au_proxies import AUProxiesConfig
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.blendshape_head import BlendshapesConfig
from affectkit_mediapipe.face import MediaPipeFaceConfig

__all__ = ["AUProxiesConfig", "BlendshapesConfig", "MediaPipeBlendshapesConfig", "MediaPipeFaceConfig"]


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the detector, the extractor, the head and the score map."""
    yield from (face.SPEC, blendshape_features.SPEC, blendshape_head.SPEC, au_proxies.SPEC)


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the preset `mediapipe-au-proxies`."""
    yield presets.PRESET
