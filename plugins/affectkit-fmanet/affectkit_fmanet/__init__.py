"""FMANet for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable

from affectkit import FeaturesSpec, PipelineSpec, hookimpl
from affectkit_fmanet import backbone, presets
from affectkit_fmanet.backbone import FMANetConfig

__all__ = ["FMANetConfig"]


@hookimpl
def affectkit_components() -> Iterable[FeaturesSpec[FMANetConfig]]:
    """Yield the backbone."""
    yield backbone.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets, from frames and from stored flow."""
    yield presets.FROM_FRAMES
    yield presets.FROM_FLOW
