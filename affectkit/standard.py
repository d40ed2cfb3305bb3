"""The standard components, contributed through the same hook as everyone's. No torch here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit.faces import whole_frame
from affectkit.features import conv_stem, timm_backbone
from affectkit.fusion import affine, concat
from affectkit.heads import action_units, compound_expression, expression, micro_expression, valence_arousal
from affectkit.hookspecs import hookimpl
from affectkit.late import mean, product, stacking, vote, weighted
from affectkit.maps import compound_from_basic
from affectkit.motion import frame_difference, optical_flow
from affectkit.presets import starter
from affectkit.specs import ComponentSpec, PipelineSpec
from affectkit.temporal import gru, transformer

_MODULES = (
    frame_difference, optical_flow,
    conv_stem, timm_backbone,
    affine, concat,
    gru, transformer,
    action_units, compound_expression, expression, micro_expression, valence_arousal,
    mean, product, stacking, vote, weighted,
    compound_from_basic,
    whole_frame,
)  # fmt: skip


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the spec of every standard component."""
    for module in _MODULES:
        yield module.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets of the core."""
    yield PipelineSpec(
        name="starter",
        config=starter,
        summary="A small causal pipeline to start from, untrained: expression, valence and arousal of every frame.",
    )
