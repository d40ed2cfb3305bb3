"""The conformance kit is tested by planted faults: each check has components that must fail it, and nothing else."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from affectkit.configs import ComponentConfig
from affectkit.errors import ConfigError, RegistryError, compose
from affectkit.specs import KIND_NAMES
from affectkit.testing import CheckFailed, CheckResult, check_names, parametrize_with_checks, run_checks
from affectkit.testing.checks import Check
from affectkit.testing.plugin_checks import CHECKS as PLUGIN_CHECKS
from affectkit.testing.results import CheckSkipped
from affectkit.testing.runner import CHECKS, bound_checks
from affectkit.testing.spec_checks import documented_fields
from tests.faulty import modules, plain, scores, specs, training
from tests.faulty.base import Fault
from tests.faulty.clean import CLEAN, PlainFeatures, PlainTemporal, PlainTemporalConfig, spec

FAULTS = (*specs.FAULTS, *modules.FAULTS, *training.FAULTS, *scores.FAULTS, *plain.FAULTS)
BY_NAME: dict[str, Check] = {check.name: check for check in (*CHECKS, *PLUGIN_CHECKS)}


def failures(results: list[CheckResult]) -> list[str]:
    return [result.check for result in results if result.status == "failed"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}-{fault.name}")
def test_a_planted_fault_fails_its_check_and_no_other(fault: Fault) -> None:
    results = run_checks(specs=[fault.spec], streams=fault.streams)
    assert failures(results) == [fault.check], [str(result) for result in results if result.status == "failed"]
    at = [result.check for result in results].index(fault.check)
    cause = f"usual cause: {fault.cause or BY_NAME[fault.check].cause}"
    assert results[at].message == compose(f"it: {fault.check}", fault.fact, cause)
    assert all(result.status == "skipped" for result in results[at + 1 :])
    assert {result.message for result in results[at + 1 :]} <= {f"it: {fault.check} failed before"}
