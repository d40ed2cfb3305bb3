"""The conformance kit for plugin authors: does a component keep every promise of its kind?

    from affectkit.testing import parametrize_with_checks

    @parametrize_with_checks("my-plugin")
    def test_conformance(check):
        check()

Tiny tensors on the CPU, no network, well under a second for a component of usual size.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from affectkit.testing.parametrize import parametrize_with_checks as parametrize_with_checks
    from affectkit.testing.results import CheckFailed as CheckFailed, CheckResult as CheckResult
    from affectkit.testing.runner import check_names as check_names, run_checks as run_checks

_PUBLIC = {
    "parametrize_with_checks": "affectkit.testing.parametrize",
    "CheckFailed": "affectkit.testing.results",
    "CheckResult": "affectkit.testing.results",
    "check_names": "affectkit.testing.runner",
    "run_checks": "affectkit.testing.runner",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'affectkit.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
