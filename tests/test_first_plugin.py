"""The plugin of the tutorial, installed by pip as the page says: it shows up first, and then it passes conformance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doc_blocks import Block, blocks

PAGE = ROOT / "docs" / "tutorial" / "first-plugin.md"


def write_files(files: list[Block], folder: Path) -> None:
    for block in files:
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


def install(sources: Path, target: Path) -> None:
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--upgrade", "--target", str(target), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run(arguments: list[str], target: Path, folder: Path) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(target), str(ROOT)]), "COLUMNS": "200"}
    done = subprocess.run([sys.executable, *arguments], env=env, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.installs
def test_the_first_plugin_is_short_and_shows_up_before_it_does_anything(tmp_path: Path) -> None:
    files = [block for block in blocks(PAGE) if block.title and block.title != "output"]
    module, pyproject = files[:2]
    assert (module.title, pyproject.title) == ("affectkit_leaky/__init__.py", "pyproject.toml")
    lines = [line for line in module.text.splitlines() if line.strip() and not line.lstrip().startswith('"""')]
    assert len(lines) == 10
    write_files([module, pyproject], tmp_path / "sources")
    install(tmp_path / "sources", tmp_path / "site")
    plugins = run(["-m", "affectkit", "plugins"], tmp_path / "site", tmp_path)
    assert "affectkit-leaky" in plugins
    assert "ok" in next(line for line in plugins.splitlines() if "affectkit-leaky" in line)
    components = run(["-m", "affectkit", "components", "--kind", "temporal"], tmp_path / "site", tmp_path)
    assert "leaky-mean" in components


@pytest.mark.installs
def test_the_finished_plugin_passes_its_own_tests(tmp_path: Path) -> None:
    files = [block for block in blocks(PAGE) if block.title and block.title != "output"]
    write_files(files, tmp_path / "sources")
    install(tmp_path / "sources", tmp_path / "site")
    (tmp_path / "work").mkdir()
    test = next(block for block in files if block.title == "test_leaky.py")
    write_files([test], tmp_path / "work")
    printed = run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_leaky.py"], tmp_path / "site", tmp_path / "work"
    )
    assert " passed" in printed
    assert "failed" not in printed
