"""The conformance kit, for components as they come and in other modes, and the entry point where it is installed."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from affectkit_compound import MANetConfig, MANetHeadsConfig, manet, manet_heads, timm_member

from affectkit import ComponentSpec, default_registry
from affectkit.testing import parametrize_with_checks

SMOOTHED = MANetHeadsConfig(label_smoothing=0.1, resolution="clip", pooling="attention", hidden=(8,))
SPECS: list[ComponentSpec[Any]] = [
    manet.SPEC,
    manet_heads.SPEC,
    timm_member.RESNET,
    timm_member.VIT,
    replace(manet.SPEC, name="manet-frozen", example=MANetConfig(size="small", frozen=True)),
    replace(manet_heads.SPEC, name="manet-heads-of-clips", example=SMOOTHED),
]


@parametrize_with_checks(specs=SPECS)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_the_entry_point_brings_them() -> None:
    try:
        distribution("affectkit-compound")
    except PackageNotFoundError:
        pytest.skip("affectkit-compound is not installed")
    for kind, name in (("features", "manet"), ("features", "resnet"), ("features", "vit"), ("head", "manet-heads")):
        found = default_registry().component(kind, f"affectkit-compound/{name}")
        assert found.provider == "affectkit-compound"
