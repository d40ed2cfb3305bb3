"""AMMSM for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable

from affectkit import PipelineSpec, hookimpl
from affectkit_ammsm import presets


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets, from frames and from stored flow."""
    yield presets.FROM_FRAMES
    yield presets.FROM_FLOW
