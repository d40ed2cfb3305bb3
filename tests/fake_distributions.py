"""Real, if empty, distributions on `sys.path`: metadata, entry points and a module, written to a temporary folder."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import textwrap
from pathlib import Path

from affectkit.plugins import Plugin, discover

# What every fake plugin module may begin with: one temporal encoder, and the spec of it.
PRELUDE = """
from dataclasses import dataclass

import affectkit
from affectkit.configs import TemporalConfig
from affectkit.hookspecs import hookimpl
from affectkit.specs import PipelineSpec, TemporalSpec


@dataclass(frozen=True, kw_only=True)
class CalmConfig(TemporalConfig):
    def output(self, stream):
        return stream


SPEC = TemporalSpec(name="calm", config=CalmConfig, factory=print, summary="Calm.")
"""
GOOD = """
@hookimpl
def affectkit_components():
    yield SPEC
"""


class Site:
    """A folder of distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def add(
        self,
        name: str,
        body: str = GOOD,
        *,
        module: str | None = None,
        entry_points: str | None = None,
        group: str = "affectkit.v1",
        prelude: str = PRELUDE,
        version: str = "1.0",
    ) -> None:
        """Install a distribution with one module (`<name>_plugin` unless given) and its entry points."""
        module = module or f"{name.lower().replace('-', '_')}_plugin"
        if body:
            (self.folder / f"{module}.py").write_text(prelude + textwrap.dedent(body))
            self.modules.append(module)
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = f"main = {module}" if entry_points is None else textwrap.dedent(entry_points)
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        importlib.invalidate_caches()

    def entry_points(self) -> list[importlib.metadata.EntryPoint]:
        """Entry points of this folder's distributions alone, whatever else is installed."""
        found = importlib.metadata.distributions(path=[str(self.folder)])
        return [point for distribution in found for point in distribution.entry_points]

    def discover(self) -> tuple[Plugin, ...]:
        """Discovery of what this folder holds."""
        return discover(self.entry_points())

    def forget(self) -> None:
        """Let no module outlive the test."""
        for module in self.modules:
            sys.modules.pop(module, None)
