"""Simple systems for micro-expressions. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit import ComponentSpec, PipelineSpec, hookimpl
from affectkit_mer_baselines import off_apexnet, ststnet
from affectkit_mer_baselines.off_apexnet import OffApexNetConfig
from affectkit_mer_baselines.ststnet import STSTNetConfig

__all__ = ["OffApexNetConfig", "STSTNetConfig"]


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the two extractors."""
    yield ststnet.SPEC
    yield off_apexnet.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the two networks with their classifiers, on stored flow."""
    yield ststnet.PRESET
    yield off_apexnet.PRESET
