"""A third party's plugin, pip install to uninstall: tests/plugins/affectkit-toy, which knows the public API only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from affectkit.specs import KIND_NAMES
from tests.conftest import ROOT

PLUGIN = ROOT / "tests" / "plugins" / "affectkit-toy"
USE = """
import json, sys
from pathlib import Path

import torch

import affectkit

registry = affectkit.default_registry()
components = [item for item in registry.components() if item.provider == "affectkit-toy"]
(report,) = [item for item in registry.reports if item.provider == "affectkit-toy"]
config = registry.preset("toy-mood").spec.make()
trace = [[step.path, step.component] for step in config.trace()]

torch.manual_seed(0)
model = config.build()
clips = affectkit.Sequence.of(torch.rand(2, 5, 3, 16, 16))
labels = {"mood": affectkit.Targets.of(torch.ones(2, 5, 2))}
totals = []
for _ in range(2):
    scores, losses = model(clips, targets=labels)
    total = sum(losses.values())
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(total, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients):
            parameter -= 0.1 * gradient
    totals.append(total.item())

folder = affectkit.save(model.eval(), Path(sys.argv[1]))
loaded = affectkit.load(folder)
print(json.dumps({
    "state": report.state,
    "version": report.version,
    "kinds": [item.spec.kind for item in components],
    "presets": [item.id for item in registry.presets() if item.provider == "affectkit-toy"],
    "trace": trace,
    "losses": sorted(losses),
    "totals": totals,
    "equal": all(torch.equal(model(clips)[name], loaded(clips)[name]) for name in ("mood", "sharp_mood")),
}))
"""
LOAD = """
import sys
import affectkit

try:
    affectkit.load(sys.argv[1])
except affectkit.RegistryError as error:
    print(error)
"""
pytestmark = pytest.mark.installs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the plugin, built from a copy of its sources."""
    folder = tmp_path_factory.mktemp("toy")
    source = shutil.copytree(PLUGIN, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def used(site: Path) -> dict[str, Any]:
    """What a program says that uses the plugin; its saved model lies beside `site`."""
    done = run(["-c", USE, str(site.parent / "saved")], site)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(arguments: list[str], site: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "AFFECTKIT"))}
    environment.pop("PYTHONPATH", None)
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_it_uses_the_public_api_only() -> None:
    files = sorted(PLUGIN.rglob("*.py"))
    assert len(files) > 20
    for path in files:
        text = path.read_text(encoding="utf-8")
        modules = set(re.findall(r"^\s*(?:from|import) (affectkit(?:\.[\w.]+)?)", text, re.MULTILINE))
        assert modules <= {"affectkit", "affectkit.testing"}, path


def test_its_conformance_test_is_no_more_than_six_lines() -> None:
    text = (PLUGIN / "tests" / "test_conformance.py").read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 6


def test_it_is_discovered_with_every_kind_and_its_preset(used: dict[str, Any]) -> None:
    assert (used["state"], used["version"]) == ("ok", "0.1.0")
    assert sorted(used["kinds"]) == sorted(KIND_NAMES)
    assert used["presets"] == ["affectkit-toy/toy-mood"]


def test_its_preset_traces_and_trains(used: dict[str, Any]) -> None:
    assert used["trace"] == [
        ["branches.face.motion[0]", "affectkit-toy/amplify"],
        ["branches.face.features", "affectkit-toy/grid"],
        ["temporal", "affectkit-toy/leaky"],
        ["heads.mood", "affectkit-toy/mood"],
        ["maps.sharp_mood", "affectkit-toy/sharpen"],
    ]
    assert used["losses"] == ["branches.face.motion[0].cut_off", "heads.mood"]
    assert used["totals"][1] < used["totals"][0]


def test_its_saved_model_loads_bit_equal(used: dict[str, Any]) -> None:
    assert used["equal"] is True


def test_its_own_conformance_tests_pass(site: Path) -> None:
    tests = site.parent / "source" / "tests"
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error", str(tests)], site)
    summary = done.stdout.splitlines()[-1]
    assert "failed" not in summary
    assert int(re.findall(r"(\d+) passed", summary)[0]) > 150, summary


def test_without_it_its_saved_model_says_what_to_install(used: dict[str, Any], site: Path) -> None:
    folder = site.parent / "saved"
    done = run(["-c", LOAD, str(folder)], None)
    assert done.stdout.strip() == (
        f"{folder}/pipeline.json: faces.use: no face detector 'affectkit-toy/center-face'; "
        "run pip install affectkit-toy; saved with affectkit-toy==0.1.0"
    )
