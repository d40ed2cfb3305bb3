"""Discovery: entry points are loaded one by one, and a broken plugin costs its own components and one warning.

Pluggy checks the hooks of each plugin but does not load: its loader lets one broken plugin stop the host, and drops a
second entry point of the same name without a word.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import os
import re
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import pluggy

from affectkit.errors import PluginError, PluginWarning, SpecError
from affectkit.hookspecs import ENTRY_POINT_GROUP, PROJECT, PluginHooks
from affectkit.specs import ComponentSpec, PipelineSpec

State = Literal["ok", "failed", "disabled", "other-api"]
_GROUP = re.compile(rf"{PROJECT}\.v\d+")
# Set while plugins are imported, so that one that asks for the registry then is told so, instead of recursing.
_discovering: ContextVar[bool] = ContextVar("affectkit_discovering", default=False)


@dataclass(frozen=True, kw_only=True)
class PluginReport:
    """What became of one entry point. `seconds` is what importing it and calling its hooks took."""

    provider: str
    version: str
    entry_point: str
    state: State
    components: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A report with the specs behind it; none unless the state is `ok`."""

    report: PluginReport
    components: tuple[ComponentSpec[Any], ...] = ()
    pipelines: tuple[PipelineSpec, ...] = ()


@dataclass
class _Taken:
    """What earlier plugins of this discovery have claimed."""

    configs: dict[type, str] = field(default_factory=dict)
    names: dict[tuple[str, str, str], str] = field(default_factory=dict)


def discover(entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> tuple[Plugin, ...]:
    """Load every plugin's entry point of the group `affectkit.v1`, sorted by distribution and name.

    `AFFECTKIT_DISABLE_PLUGINS` (distribution names, commas between) skips plugins; `AFFECTKIT_STRICT_PLUGINS=1` raises
    at the first that fails. Otherwise a failure becomes that plugin's report and one PluginWarning.

    Raises:
        PluginError: a plugin failed, and strict loading was asked for.
    """
    if entry_points is None:
        installed = importlib.metadata.entry_points()
        entry_points = [e for g in installed.groups if _GROUP.fullmatch(g) for e in installed.select(group=g)]
    disabled = {normalize(name) for name in os.environ.get("AFFECTKIT_DISABLE_PLUGINS", "").split(",") if name.strip()}
    strict = os.environ.get("AFFECTKIT_STRICT_PLUGINS", "") == "1"
    taken = _Taken()
    plugins = []
    with _guard():
        for entry_point in sorted(set(entry_points), key=lambda e: (_provider(e), e.name, e.value)):
            plugin = _load(entry_point, disabled, taken)
            plugins.append(plugin)
            if plugin.report.state == "failed":
                text = f"{plugin.report.provider}: plugin {entry_point.name!r} failed ({plugin.report.error}); "
                if strict:
                    raise PluginError(text + "mend it or unset AFFECTKIT_STRICT_PLUGINS")
                warnings.warn(text + "its components are missing", PluginWarning, stacklevel=2)
    return tuple(plugins)


def is_discovering() -> bool:
    """Whether plugins are being imported right now, in this context."""
    return _discovering.get()


def normalize(name: str) -> str:
    """A distribution's name as ids write it: lower case, runs of `-`, `_` and `.` as one hyphen."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


@contextmanager
def _guard() -> Iterator[None]:
    token = _discovering.set(True)
    try:
        yield
    finally:
        _discovering.reset(token)


def _load(entry_point: importlib.metadata.EntryPoint, disabled: set[str], taken: _Taken) -> Plugin:
    provider = _provider(entry_point)
    version = entry_point.dist.version if entry_point.dist else ""
    state: State = "ok"
    components: tuple[ComponentSpec[Any], ...] = ()
    pipelines: tuple[PipelineSpec, ...] = ()
    error = ""
    started = time.perf_counter()
    if entry_point.group != ENTRY_POINT_GROUP:
        state = "other-api"
        error = f"made for {entry_point.group}, this is {ENTRY_POINT_GROUP}"
    elif provider in disabled:
        state = "disabled"
    else:
        try:
            key = (provider, "entry point", entry_point.name)
            if key in taken.names:
                raise PluginError(f"entry point {entry_point.name!r} is declared twice, also as {taken.names[key]!r}")
            taken.names[key] = entry_point.value
            components, pipelines = _collect(entry_point.load())
            _claim(provider, components, pipelines, taken)
        # SystemExit: a module that ends the process when imported is broken, and the host is not.
        except (Exception, SystemExit) as failure:
            state, components, pipelines = "failed", (), ()
            error = f"{type(failure).__name__}: {failure}"
    report = PluginReport(
        provider=provider,
        version=version,
        entry_point=entry_point.name,
        state=state,
        components=tuple(spec.name for spec in components),
        pipelines=tuple(spec.name for spec in pipelines),
        error=error,
        seconds=time.perf_counter() - started,
    )
    return Plugin(report=report, components=components, pipelines=pipelines)


def _provider(entry_point: importlib.metadata.EntryPoint) -> str:
    return normalize(entry_point.dist.name) if entry_point.dist else "unknown"


def _collect(plugin: Any) -> tuple[tuple[ComponentSpec[Any], ...], tuple[PipelineSpec, ...]]:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PluginHooks)
    manager.register(plugin)
    _check_hooks(manager, plugin)
    hook = manager.hook
    components = _records(hook.affectkit_components(), "affectkit_components", ComponentSpec, "TemporalSpec(...)")
    pipelines = _records(hook.affectkit_pipelines(), "affectkit_pipelines", PipelineSpec, "PipelineSpec(...)")
    return components, pipelines


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    hooks = [name for name in vars(PluginHooks) if name.startswith("affectkit_")]
    known = " and ".join(hooks)
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or []}
    for name in sorted(implemented.difference(hooks)):
        raise PluginError(f"implements {name!r}, which is no hook; the hooks are {known}")
    for name in hooks:
        if name not in implemented and callable(getattr(plugin, name, None)):
            raise PluginError(f"defines {name!r} without a mark; put @affectkit.hookimpl above it")
    if not implemented:
        raise PluginError(f"{getattr(plugin, '__name__', plugin)!r} implements no hook; the hooks are {known}")


def _records(results: list[Any], hook: str, expected: type[Any], example: str) -> tuple[Any, ...]:
    records: list[Any] = []
    for result in results:
        if inspect.isclass(result) or isinstance(result, expected) or not isinstance(result, Iterable):
            raise PluginError(f"{hook} returned {_what(result)}; yield one {example} after another")
        iterator = iter(result)
        while True:
            try:
                record = next(iterator)
            except StopIteration:
                break
            except (Exception, SystemExit) as error:
                what = f"{type(error).__name__}: {error}"
                raise PluginError(f"{hook} raised {what} after {len(records)} records") from error
            if not isinstance(record, expected):
                raise PluginError(f"{hook} yielded {_what(record)}; yield {example}")
            records.append(record)
    return tuple(records)


def _what(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"{type(value).__name__} {value!r:.60}"


def _claim(
    provider: str, components: tuple[ComponentSpec[Any], ...], pipelines: tuple[PipelineSpec, ...], taken: _Taken
) -> None:
    """Check this plugin against the earlier ones and itself, then mark what it provides; all or nothing."""
    configs, names = dict(taken.configs), dict(taken.names)
    for spec in components:
        if spec.config in configs:
            raise SpecError(
                f"config {spec.config.__name__} of {spec.name!r} is already {configs[spec.config]!r}; "
                "one config class is one component, derive a new one"
            )
        configs[spec.config] = f"{provider}/{spec.name}"
    records: list[tuple[str, str, Any]] = [(spec.kind, spec.kind_name, spec) for spec in components]
    records += [("pipeline", "pipeline", spec) for spec in pipelines]
    for kind, noun, record in records:
        for name in (record.name, *record.renamed_from):
            if (provider, kind, name) in names:
                raise SpecError(f"{noun} {name!r} is provided twice by {provider}; give one of them another name")
            names[provider, kind, name] = name
    taken.configs, taken.names = configs, names
