"""The conformance kit, for components as they come and in other modes, and the entry point where it is installed."""

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from affectkit_abaw7 import POSTER2Config, POSTERConfig, flow_picture, poster, poster2

from affectkit import ComponentSpec, default_registry
from affectkit.testing import parametrize_with_checks

SPECS: list[ComponentSpec[Any]] = [
    flow_picture.SPEC,
    poster.SPEC,
    poster2.SPEC,
    replace(poster2.SPEC, name="poster2-frozen", example=POSTER2Config(size="small", frozen=True)),
    replace(poster2.SPEC, name="poster2-landmarks", example=POSTER2Config(size="small", frozen_landmarks=True)),
    replace(poster.SPEC, name="poster-frozen", example=POSTERConfig(size="small", frozen=True)),
]


@parametrize_with_checks(specs=SPECS)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_the_entry_point_brings_them() -> None:
    try:
        distribution("affectkit-abaw7")
    except PackageNotFoundError:
        pytest.skip("affectkit-abaw7 is not installed")
    for name in ("poster", "poster2"):
        assert default_registry().component("features", f"affectkit-abaw7/{name}").provider == "affectkit-abaw7"
