"""The one door to Lightning. Nothing else in affectkit imports it."""

from __future__ import annotations

import importlib
import logging
import warnings
from types import ModuleType

from affectkit.errors import MissingDependencyError
from affectkit.torchvision_repair import repair_torchvision

INSTALL = "pip install 'affectkit[train]'"


def import_lightning() -> ModuleType:
    """Import `lightning.pytorch`, working around a torchvision whose compiled part cannot load.

    Raises:
        MissingDependencyError: Lightning, or something that it imports, is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repair_torchvision()
        try:
            found = importlib.import_module("lightning.pytorch")
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"training: needs {error.name!r}, which is not installed; run {INSTALL}"
            ) from error
    # per trainer it says which devices there are, and advertises: forty folds would say it forty times
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return found
