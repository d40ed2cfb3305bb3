"""Every planted fault, and what the kit says of it: for the tests and the benchmark of the kit."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from affectkit.testing import CheckResult, run_checks
from tests.faulty import modules, plain, scores, specs, training
from tests.faulty.base import Fault
from tests.faulty.distributions import PLUGINS, install

FAULTS: tuple[Fault, ...] = (*specs.FAULTS, *modules.FAULTS, *training.FAULTS, *scores.FAULTS, *plain.FAULTS)
# In place of the real one, for the fresh interpreter that the kit starts: the real one takes seconds to import.
LIGHT_TORCH = """
float32 = 1
get_default_dtype = is_grad_enabled = lambda: 1
"""


def check_fault(fault: Fault) -> list[CheckResult]:
    """What the kit says of a faulty component."""
    for name in ("tests.faulty.sets_dtype", "tests.faulty.sets_grad_mode"):
        sys.modules.pop(name, None)
    return run_checks(specs=[fault.spec], streams=fault.streams)


def check_plugin(name: str, folder: Path) -> list[CheckResult]:
    """What the kit says of the faulty plugin `name`, which is installed below `folder` for as long as that takes."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        place = install(folder, name, PLUGINS[name][2], patch)
        (place / "torch.py").write_text(LIGHT_TORCH)
        before = dict(os.environ)
        results = run_checks(name)
        for key in os.environ.keys() - before.keys():
            del os.environ[key]
    return results


def failed(results: list[CheckResult]) -> list[str]:
    """Names of the checks that failed."""
    return [result.check for result in results if result.status == "failed"]
