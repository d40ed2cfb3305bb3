"""Checks of a plugin as a whole, once: its hook module is light, changes nothing around it, and works."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from affectkit.errors import AffectkitError
from affectkit.plugins import Plugin
from affectkit.registry import Registry
from affectkit.testing.checks import Check, check
from affectkit.testing.results import CheckFailed

# What an interpreter may need to start at all, on any platform.
PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE")


@dataclass
class PluginSubject:
    """A distribution under test.

    Attributes:
        distribution: its name.
        plugins: what became of its entry points.
        registry: everything installed.
        failed: the name of the first check that it failed; empty so far.
    """

    distribution: str
    plugins: list[Plugin]
    registry: Registry
    failed: str = field(default="", init=False)
    name: str = field(default="plugin", init=False)

    @cached_property
    def probe(self) -> dict[str, Any]:
        """What importing the hook modules does to a fresh interpreter; see `import_probe`."""
        command = [sys.executable, "-m", "affectkit.testing.import_probe", self.distribution]
        # Not the whole environment: what the plugin changes may have been changed in this process already.
        environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise CheckFailed(f"a fresh interpreter ended with {done.returncode} ({done.stderr.strip()[-300:]})")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


@check(cause="an error at the top of a module, or an entry point that names something else than a module")
def entry_point_imports(subject: PluginSubject) -> None:
    names = {plugin.report.entry_point for plugin in subject.plugins}
    for entry_point in importlib.metadata.distribution(subject.distribution).entry_points:
        if entry_point.name in names and entry_point.group.startswith("affectkit."):
            try:
                entry_point.load()
            except (Exception, SystemExit) as error:
                raise CheckFailed(f"{entry_point.value!r} raised {type(error).__name__}: {error}") from error


@check(cause="a hook that raises or yields something else than specs, or a name that is taken")
def plugin_is_ok(subject: PluginSubject) -> None:
    for plugin in subject.plugins:
        if plugin.report.state != "ok":
            what = plugin.report.error or "listed in AFFECTKIT_DISABLE_PLUGINS"
            raise CheckFailed(f"entry point {plugin.report.entry_point!r} is {plugin.report.state} ({what})")


@check(cause="torch at the top of a config's file; keep the module's class in a file of its own, named by lazy()")
def import_needs_no_torch(subject: PluginSubject) -> None:
    if where := subject.probe["torch"]:
        raise CheckFailed(f"importing the hook module imports torch, at {where}")


@check(cause="settings at the top of a module; move them into the function that needs them")
def import_changes_nothing(subject: PluginSubject) -> None:
    if changes := subject.probe["changes"]:
        raise CheckFailed(f"importing the hook module changes {', '.join(changes)}")


@check(cause="a component was renamed, or its output changed, and the preset was not")
def presets_trace(subject: PluginSubject) -> None:
    for plugin in subject.plugins:
        for spec in plugin.pipelines:
            try:
                spec.make().trace(registry=subject.registry)
            except AffectkitError as error:
                raise CheckFailed(f"preset {spec.name!r} can't be traced ({error})") from error


CHECKS: tuple[Check, ...] = (
    entry_point_imports,
    plugin_is_ok,
    import_needs_no_torch,
    import_changes_nothing,
    presets_trace,
)
