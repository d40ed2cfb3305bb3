"""The registry: which components and presets are at hand, and what a name means. Immutable.

Ids are `distribution/name`. A bare name works while one provider has it; a clash fails only when that bare name is
looked up. Tests and notebooks derive a registry with `with_components`; every function that uses the default one takes
`registry=`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, TypeVar

from affectkit.configs import ComponentConfig
from affectkit.errors import (
    AmbiguousNameError,
    PluginError,
    RegistryError,
    RenamedWarning,
    did_you_mean,
    listed,
)
from affectkit.plugins import Plugin, PluginReport, Taken, claim, discover, is_discovering, normalize
from affectkit.specs import KIND_NAMES, NAME, ComponentSpec, PipelineSpec


@dataclass(frozen=True, kw_only=True)
class Component:
    """A spec with who provides it."""

    provider: str
    version: str
    spec: ComponentSpec[Any]

    @property
    def id(self) -> str:
        """`distribution/name`."""
        return f"{self.provider}/{self.spec.name}"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named pipeline or ensemble with who provides it."""

    provider: str
    version: str
    spec: PipelineSpec

    @property
    def id(self) -> str:
        """`distribution/name`."""
        return f"{self.provider}/{self.spec.name}"


LOCAL = "local"  # provider of what no distribution ships
Item = TypeVar("Item", Component, Preset)


class Registry:
    """Components and presets of some plugins. Made by `default_registry`, or derived from another one."""

    def __init__(self, plugins: Iterable[Plugin] = ()) -> None:
        self._plugins = tuple(plugins)

    @property
    def reports(self) -> tuple[PluginReport, ...]:
        """What became of every plugin, in the order of loading."""
        return tuple(plugin.report for plugin in self._plugins)

    @cached_property
    def _components(self) -> tuple[Component, ...]:
        return tuple(
            Component(provider=plugin.report.provider, version=plugin.report.version, spec=spec)
            for plugin in self._plugins
            for spec in plugin.components
        )

    @cached_property
    def _presets(self) -> tuple[Preset, ...]:
        return tuple(
            Preset(provider=plugin.report.provider, version=plugin.report.version, spec=spec)
            for plugin in self._plugins
            for spec in plugin.pipelines
        )

    @cached_property
    def _by_config(self) -> dict[type[ComponentConfig], Component]:
        return {component.spec.config: component for component in self._components}

    def components(self, kind: str | None = None) -> tuple[Component, ...]:
        """Components of a kind (`motion`, `features`, `temporal`, ...), or all, sorted by kind and id.

        Raises:
            RegistryError: there is no such kind.
        """
        if kind is not None and kind not in KIND_NAMES:
            raise RegistryError(f"no kind {kind!r}; {did_you_mean(kind, KIND_NAMES, noun='kinds')}")
        # stages in the order in which a pipeline runs them, then the other kinds; not by alphabet
        order = list(KIND_NAMES)
        chosen = [item for item in self._components if kind is None or item.spec.kind == kind]
        return tuple(sorted(chosen, key=lambda item: (order.index(item.spec.kind), item.id)))

    def presets(self) -> tuple[Preset, ...]:
        """Named pipelines and ensembles, sorted by id."""
        return tuple(sorted(self._presets, key=lambda item: item.id))

    def component(self, kinds: str | tuple[str, ...], name: str) -> Component:
        """The component `name`, bare or `distribution/name`, of one of the kinds.

        Raises:
            RegistryError: no plugin provides it; the message has candidates, or the `pip install`.
            AmbiguousNameError: several providers have this bare name.
        """
        wanted = (kinds,) if isinstance(kinds, str) else kinds
        pool = [item for kind in wanted for item in self.components(kind)]
        return self._find(pool, name, " or ".join(KIND_NAMES[kind] for kind in wanted))

    def preset(self, name: str) -> Preset:
        """The preset `name`, bare or `distribution/name`; raises as `component` does."""
        return self._find(list(self.presets()), name, "pipeline")

    def of_config(self, config: type[ComponentConfig]) -> Component:
        """The component whose config class this is.

        Raises:
            RegistryError: no installed plugin provides it.
        """
        if config not in self._by_config:
            raise RegistryError(
                f"no component has the config {config.__name__}; "
                f"provide it from a plugin, or pass registry.with_components(...){self._failures()}"
            )
        return self._by_config[config]

    def config_class(self, kinds: tuple[str, ...], name: str) -> type[ComponentConfig]:
        """The config class of the component `name`; raises as `component` does."""
        return self.component(kinds, name).spec.config

    def id_of(self, config: type[ComponentConfig]) -> str:
        """The full id of the component whose config class this is; raises as `of_config` does."""
        return self.of_config(config).id

    def names(self, kinds: tuple[str, ...]) -> list[str]:
        """Shortest unambiguous names of the components of these kinds."""
        pool = [item for kind in kinds for item in self.components(kind)]
        return _short_names(pool)

    def with_components(self, *specs: ComponentSpec[Any], provider: str = LOCAL) -> Registry:
        """A registry with these components too, as `provider/name`; one of the same id or config is replaced.

        Raises:
            SpecError: two of `specs` have one name or one config class.
        """
        provider = normalize(provider)
        # against each other only: what the registry has already is replaced, not refused
        claim(provider, specs, (), Taken())
        kept = [self._without(plugin, specs, provider) for plugin in self._plugins]
        report = PluginReport(
            provider=provider, version="", entry_point="", state="ok", components=tuple(spec.name for spec in specs)
        )
        return Registry([*kept, Plugin(report=report, components=specs)])

    def with_pipelines(self, *specs: PipelineSpec, provider: str = LOCAL) -> Registry:
        """A registry with these presets too, as `provider/name`; one of the same id is replaced.

        Raises:
            SpecError: two of `specs` have one name.
        """
        provider = normalize(provider)
        claim(provider, (), specs, Taken())
        names = {spec.name for spec in specs}
        kept = [
            replace(plugin, pipelines=tuple(spec for spec in plugin.pipelines if spec.name not in names))
            if plugin.report.provider == provider
            else plugin
            for plugin in self._plugins
        ]
        report = PluginReport(
            provider=provider, version="", entry_point="", state="ok", pipelines=tuple(spec.name for spec in specs)
        )
        return Registry([*kept, Plugin(report=report, pipelines=specs)])

    def __repr__(self) -> str:
        rows = [f"{KIND_NAMES[item.spec.kind]:<18} {item.id:<38} {item.spec.summary}" for item in self.components()]
        rows += [f"{'pipeline':<18} {item.id:<38} {item.spec.summary}" for item in self.presets()]
        return "\n".join(rows) or "no components"

    # a model that is deep-copied holds its registry; that never changes, so both may have the same one
    def __deepcopy__(self, memo: object) -> Registry:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process finds the installed plugins itself: what their specs hold need not be picklable.
        if _discovered.cache_info().currsize and _discovered() is self:
            return default_registry, ()
        return Registry, (self._plugins,)

    @staticmethod
    def _without(plugin: Plugin, specs: tuple[ComponentSpec[Any], ...], provider: str) -> Plugin:
        configs = {spec.config for spec in specs}
        names = {spec.name for spec in specs} if plugin.report.provider == provider else set()
        kept = tuple(spec for spec in plugin.components if spec.config not in configs and spec.name not in names)
        return replace(plugin, components=kept)

    def _find(self, pool: list[Item], name: str, noun: str) -> Item:
        provider, _, bare = name.rpartition("/")
        provider = normalize(provider) if provider else ""
        matches = [item for item in pool if item.spec.name == bare and provider in ("", item.provider)]
        # only now: a component that has the name today wins over one that had it before
        if not matches:
            matches = [item for item in pool if bare in item.spec.renamed_from and provider in ("", item.provider)]
            if len(matches) == 1:
                text = f"{name!r} is now {matches[0].id!r}; write that, the old name will go"
                warnings.warn(text, RenamedWarning, stacklevel=4)
        if len(matches) > 1:
            ids = [item.id for item in matches]
            raise AmbiguousNameError(f"{noun} {name!r} is provided by {len(ids)} plugins; write one of {listed(ids)}")
        if not matches:
            raise RegistryError(f"no {noun} {name!r}; {self._advice(name, provider, pool, noun)}{self._failures()}")
        return matches[0]

    def _advice(self, name: str, provider: str, pool: list[Item], noun: str) -> str:
        # The core's own distribution is always there, also in a registry without plugins.
        installed = {report.provider for report in self.reports} | {"affectkit"}
        for report in self.reports:
            if report.provider == provider and report.state == "disabled":
                return f"{provider} is switched off by AFFECTKIT_DISABLE_PLUGINS"
            if report.provider == provider and report.state == "other-api":
                return f"{provider} is {report.error}"
        if provider == LOCAL:
            return "it was made in a session or notebook; pass registry=default_registry().with_components(...)"
        # the name may come from a stranger's file, and the message is a command to paste: no spaces, no options
        if NAME.fullmatch(provider) and provider not in installed:
            return f"run pip install {provider}"
        bare = name.rpartition("/")[2]
        others = [item for item in self._components if item.spec.name == bare and provider in ("", item.provider)]
        kinds = "".join(f"{item.id} is a {KIND_NAMES[item.spec.kind]}; " for item in others[:1])
        return kinds + did_you_mean(name, _short_names(pool), noun=f"{noun}s at hand")

    def _failures(self) -> str:
        failed = [report for report in self.reports if report.state == "failed"]
        if not failed:
            return ""
        return "; plugins that failed: " + ", ".join(f"{report.provider} ({report.error})" for report in failed)


def _short_names(pool: list[Item]) -> list[str]:
    bare = [item.spec.name for item in pool]
    return [item.spec.name if bare.count(item.spec.name) == 1 else item.id for item in pool]


_lock = threading.RLock()


@cache
def _discovered() -> Registry:
    return Registry(discover())


def default_registry() -> Registry:
    """The registry of everything installed; plugins are loaded on the first call.

    Raises:
        PluginError: called while plugins are being imported.
    """
    if is_discovering():
        raise PluginError("registry: used while plugins are being imported; move the call into a function")
    # `cache` alone lets two threads that come at once both load the plugins
    with _lock:
        return _discovered()
