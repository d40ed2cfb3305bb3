"""The one door to Optuna. Nothing else in affectkit imports it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from affectkit.errors import MissingDependencyError


def import_optuna() -> ModuleType:
    """Import `optuna`.

    Raises:
        MissingDependencyError: Optuna, or something that it imports, is not installed.
    """
    try:
        return importlib.import_module("optuna")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"search: needs {error.name!r}, which is not installed; run pip install 'affectkit[search]'"
        ) from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Optuna without its lines for every study and trial; what it logs otherwise is as before afterwards."""
    optuna = import_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
