"""Compound expressions for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit import ComponentSpec, PipelineSpec, hookimpl
from affectkit_compound import manet, manet_heads, presets, timm_member
from affectkit_compound.manet import MANetConfig
from affectkit_compound.manet_heads import MANetHeadsConfig
from affectkit_compound.timm_member import ResNetConfig, ViTConfig

__all__ = ["MANetConfig", "MANetHeadsConfig", "ResNetConfig", "ViTConfig"]


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the members' networks, and the head of one of them."""
    yield manet.SPEC
    yield manet_heads.SPEC
    yield timm_member.RESNET
    yield timm_member.VIT


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets."""
    yield from presets.offered()
