"""The expression network of face-api.js for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable

from affectkit import FeaturesSpec, PipelineSpec, hookimpl
from affectkit_faceapi import backbone, compound, expression
from affectkit_faceapi.backbone import FaceAPIBackboneConfig

__all__ = ["FaceAPIBackboneConfig"]


@hookimpl
def affectkit_components() -> Iterable[FeaturesSpec[FaceAPIBackboneConfig]]:
    """Yield the backbone."""
    yield backbone.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets `expression` and `compound-zero-shot`."""
    yield expression.PRESET
    yield compound.PRESET
