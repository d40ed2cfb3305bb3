"""The ABAW7 system for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit import ComponentSpec, PipelineSpec, hookimpl
from affectkit_abaw7 import flow_picture, poster, poster2, presets
from affectkit_abaw7.flow_picture import FlowPictureConfig
from affectkit_abaw7.poster import POSTERConfig
from affectkit_abaw7.poster2 import POSTER2Config

__all__ = ["FlowPictureConfig", "POSTER2Config", "POSTERConfig"]


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the encoders, and the front-end that shows them motion."""
    yield flow_picture.SPEC
    yield poster.SPEC
    yield poster2.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets: small, and as published."""
    yield presets.SYSTEM
    yield presets.AS_PUBLISHED
