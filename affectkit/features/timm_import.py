"""The one door to timm. Nothing else in affectkit imports it."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

from affectkit.errors import MissingDependencyError
from affectkit.torchvision_repair import repair_torchvision

INSTALL = "pip install 'affectkit[timm]'"


def import_timm() -> ModuleType:
    """Import timm, working around a torchvision whose compiled part cannot load.

    Raises:
        MissingDependencyError: timm, or something that it imports, is not installed.
    """
    with warnings.catch_warnings():
        # deprecations inside timm and torchvision are not the user's, who may have made warnings errors
        warnings.simplefilter("ignore")
        repair_torchvision()
        try:
            return importlib.import_module("timm")
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"timm: needs {error.name!r}, which is not installed; run {INSTALL}"
            ) from error
