"""Faulty plugins: hook modules that break what is promised for a plugin as a whole, and a way to install them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HOOKS = """
import affectkit
from affectkit import PipelineConfig, PipelineSpec

@affectkit.hookimpl
def affectkit_components():
    return []
"""
PRESET = """
def make():
    from affectkit import Branch, ConvStemConfig, ExpressionConfig, FeatureStream, FrameStream, MicroExpressionConfig
    from affectkit import OpticalFlowConfig

    return PipelineConfig(
        input=FrameStream(height=32, width=32),
        branches={"flow": Branch(motion=(OpticalFlowConfig(), OpticalFlowConfig()), features=ConvStemConfig())},
        heads={"expression": MicroExpressionConfig()},
    )

@affectkit.hookimpl
def affectkit_pipelines():
    yield PipelineSpec(name="unfit", config=make, summary="Flow of flow.")
"""
# name of the fault: the check, its fact, and the text of the hook module
PLUGINS: dict[str, tuple[str, str, str]] = {
    "raises": ("entry_point_imports", "'raises' raised ValueError: no license", "raise ValueError('no license')"),
    "exits": ("entry_point_imports", "'exits' raised SystemExit: 3", "import sys\nsys.exit(3)"),
    "no-hook": (
        "plugin_is_ok",
        "entry point 'main' is failed (PluginError: 'no_hook' implements no hook; "
        "the hooks are affectkit_components and affectkit_pipelines)",
        "",
    ),
    "eager": (
        "import_needs_no_torch",
        "importing the hook module imports torch, at eager/eager.py:7",
        HOOKS + "import torch\n",
    ),
    "sets-variable": (
        "import_changes_nothing",
        "importing the hook module changes os.environ['KMP_DUPLICATE_LIB_OK']",
        HOOKS + "import os\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n",
    ),
    "hides-warnings": (
        "import_changes_nothing",
        "importing the hook module changes the warnings filters",
        HOOKS + "import warnings\nwarnings.simplefilter('ignore', ResourceWarning)\n",
    ),
    "unfit-preset": (
        "presets_trace",
        "preset 'unfit' can't be traced (branches.flow.motion[1]: channels ('u', 'v') are not accepted; "
        "accepts ('r', 'g', 'b'), ('gray',))",
        HOOKS + PRESET,
    ),
}


def install(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `name` an installed distribution for this process and those that it starts; returns where it lies."""
    module = name.replace("-", "_")
    place = folder / module
    info = place / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[affectkit.v1]\nmain = {module}\n")
    (place / f"{module}.py").write_text(text.lstrip("\n"))
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, module, raising=False)
    return place
