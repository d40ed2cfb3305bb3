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

from affectkit.errors import PluginError, PluginWarning, SpecError, listed
from affectkit.hookspecs import ENTRY_POINT_GROUP, PROJECT, PluginHooks
from affectkit.specs import ComponentSpec, PipelineSpec

State = Literal["ok", "failed", "disabled", "other-api"]
_HOOKS = tuple(name for name in vars(PluginHooks) if name.startswith("affectkit_"))
_GROUP = re.compile(rf"{PROJECT}\.v\d+")
# Set while plugins are imported, so that one that asks for the registry then is told so, instead of recursing.
# Not a plain global: another thread that asks meanwhile has to wait for the registry, not to fail.
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
class Taken:
    """What earlier plugins of this discovery have claimed: config classes, and names by provider."""

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
        # other versions' groups too, so that a plugin made for another API is reported and not just absent
        entry_points = [e for g in installed.groups if _GROUP.fullmatch(g) for e in installed.select(group=g)]
    disabled = {normalize(name) for name in os.environ.get("AFFECTKIT_DISABLE_PLUGINS", "").split(",") if name.strip()}
    strict = os.environ.get("AFFECTKIT_STRICT_PLUGINS", "") == "1"
    taken = Taken()
    plugins = []
    with _guard():
        # By distribution too: entry points of two distributions may be equal in all else.
        declared = [(*_distribution(e), e) for e in entry_points]
        unique = {(provider, e.name, e.value, e.group): (version, e) for provider, version, e in declared}
        # sorted: of two plugins that claim one thing the second fails, and that has to be the same one everywhere
        for (provider, *_), (version, entry_point) in sorted(unique.items(), key=lambda item: item[0]):
            plugin, failure = _load(entry_point, provider, version, disabled, taken)
            plugins.append(plugin)
            if failure is not None:
                text = f"{plugin.report.provider}: plugin {entry_point.name!r} failed ({plugin.report.error}); "
                if strict:
                    raise PluginError(text + "mend it or unset AFFECTKIT_STRICT_PLUGINS") from failure
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


def _load(
    entry_point: importlib.metadata.EntryPoint, provider: str, version: str, disabled: set[str], taken: Taken
) -> tuple[Plugin, BaseException | None]:
    """The plugin behind an entry point, and what it raised if it failed."""
    state: State = "ok"
    components: tuple[ComponentSpec[Any], ...] = ()
    pipelines: tuple[PipelineSpec, ...] = ()
    error, raised = "", None
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
            claim(provider, components, pipelines, taken)
        # SystemExit: a module that ends the process when imported is broken, and the host is not.
        except (Exception, SystemExit) as failure:
            state, components, pipelines, raised = "failed", (), (), failure
            error = re.sub(r"\s*\n\s*", " ", f"{type(failure).__name__}: {failure}".strip())
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
    return Plugin(report=report, components=components, pipelines=pipelines), raised


def _distribution(entry_point: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version of who declares it. What an uninstall left behind may have no metadata; it is no one's."""
    try:
        assert entry_point.dist is not None
        # once: every access parses the whole file, and its README with it
        metadata = entry_point.dist.metadata
        return normalize(metadata["Name"]), metadata["Version"]
    except Exception:
        return "unknown", ""


def _collect(plugin: Any) -> tuple[tuple[ComponentSpec[Any], ...], tuple[PipelineSpec, ...]]:
    # a manager of its own, so that calling a hook calls this plugin alone
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PluginHooks)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        for name in _HOOKS:
            hook = getattr(plugin, name, None)
            if inspect.isfunction(hook) and (arguments := inspect.signature(hook).parameters):
                raise PluginError(f"{name} takes {listed(arguments)}; it is called without arguments") from error
        raise
    _check_hooks(manager, plugin)
    components = _records(manager.hook.affectkit_components, ComponentSpec, "TemporalSpec(...)")
    pipelines = _records(manager.hook.affectkit_pipelines, PipelineSpec, "PipelineSpec(...)")
    return components, pipelines


def _check_hooks(manager: pluggy.PluginManager, plugin: Any) -> None:
    known = " and ".join(_HOOKS)
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or []}
    # pluggy takes a hook that it knows nothing of without complaint: a typo would never be called
    for name in sorted(implemented.difference(_HOOKS)):
        raise PluginError(f"implements {name!r}, which is no hook; the hooks are {known}")
    for name in _HOOKS:
        # pluggy passes over a function without the marker
        if name not in implemented and callable(getattr(plugin, name, None)):
            raise PluginError(f"defines {name!r} without a mark; put @affectkit.hookimpl above it")
    if not implemented:
        raise PluginError(f"{getattr(plugin, '__name__', plugin)!r} implements no hook; the hooks are {known}")


def _records(caller: pluggy.HookCaller, expected: type[Any], example: str) -> tuple[Any, ...]:
    records: list[Any] = []
    hook, results = caller.name, _called(caller)
    # pluggy drops results that are None, as of a hook that builds a list and forgets to return it
    if caller.get_hookimpls() and not results:
        raise PluginError(f"{hook} returned None; yield one {example} after another")
    for result in results:
        if inspect.isclass(result) or isinstance(result, expected) or not isinstance(result, Iterable):
            raise PluginError(f"{hook} returned {_what(result)}; yield one {example} after another")
        iterator = iter(result)
        while True:
            try:
                # the body of a hook that yields runs here, not in the call above
                record = next(iterator)
            except StopIteration:
                break
            except (Exception, SystemExit) as error:
                count = f"{len(records)} record" + ("s" if len(records) != 1 else "")
                raise PluginError(f"{hook} raised after {count}: {type(error).__name__}: {error}") from error
            if not isinstance(record, expected):
                raise PluginError(f"{hook} yielded {_what(record)}; yield {example}")
            records.append(record)
    return tuple(records)


def _called(caller: pluggy.HookCaller) -> list[Any]:
    try:
        return caller()  # type: ignore[no-any-return]
    except (Exception, SystemExit) as error:
        raise PluginError(f"{caller.name} raised {type(error).__name__}: {error}") from error


def _what(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def claim(
    provider: str, components: tuple[ComponentSpec[Any], ...], pipelines: tuple[PipelineSpec, ...], taken: Taken
) -> None:
    """Check this plugin against the earlier ones and itself, then mark what it provides; all or nothing.

    Raises:
        SpecError: a config class has two specs, or an id stands for two components or two presets.
    """
    # copies, written back only when all is well: a plugin that fails half-way has claimed nothing
    configs, names = dict(taken.configs), dict(taken.names)
    for spec in components:
        if spec.config in configs:
            raise SpecError(
                f"config {spec.config.__name__} of {spec.name!r} is already {configs[spec.config]!r}; "
                "one config class is one component, derive a new one"
            )
        configs[spec.config] = f"{provider}/{spec.name}"
    records: list[tuple[str, str, Any]] = [("component", spec.kind_name, spec) for spec in components]
    records += [("pipeline", "pipeline", spec) for spec in pipelines]
    for group, noun, record in records:
        for name in (record.name, *record.renamed_from):
            if (provider, group, name) in names:
                other = names[provider, group, name]
                also = "" if other == noun else f", also as {other}"
                raise SpecError(f"{noun} {name!r} is provided twice by {provider}{also}; give one of them another name")
            names[provider, group, name] = noun
    taken.configs, taken.names = configs, names
