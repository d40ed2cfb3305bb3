"""The ABAW7 system for affectkit. The entry point names this module; no torch in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit import FeaturesSpec, hookimpl
from affectkit_abaw7 import poster, poster2
from affectkit_abaw7.poster import POSTERConfig
from affectkit_abaw7.poster2 import POSTER2Config

__all__ = ["POSTER2Config", "POSTERConfig"]


@hookimpl
def affectkit_components() -> Iterable[FeaturesSpec[Any]]:
    """Yield the encoders."""
    yield poster.SPEC
    yield poster2.SPEC
