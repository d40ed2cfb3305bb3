"""Which checks a plugin or a component has to pass, in order, and running them without pytest."""

from __future__ import annotations

import importlib.metadata
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from affectkit.errors import ConfigError, PluginWarning, RegistryError, WeightsError, compose, did_you_mean
from affectkit.plugins import Plugin, discover, normalize
from affectkit.registry import Registry, default_registry
from affectkit.specs import ComponentSpec
from affectkit.testing import kind_checks, module_checks, plain_checks, plugin_checks, spec_checks, training_checks
from affectkit.testing.checks import Check
from affectkit.testing.plugin_checks import PluginSubject
from affectkit.testing.results import CheckFailed, CheckResult, CheckSkipped, Status
from affectkit.testing.subjects import Subject, one_thread, seeded

# From fundamental to fine: after a component's first failure the rest of its checks is skipped.
CHECKS: tuple[Check, ...] = (
    *spec_checks.CHECKS,
    *module_checks.CHECKS,
    *kind_checks.CHECKS,
    *training_checks.CHECKS,
    *plain_checks.CHECKS,
)


@dataclass(frozen=True)
class BoundCheck:
    """One check of one subject; call it to run it.

    Attributes:
        subject: the plugin or component.
        check: the property.
        expected: why it is known to fail; empty where it should pass. An expected failure does not skip the rest.
    """

    subject: Any
    check: Check
    expected: str = ""

    @property
    def id(self) -> str:
        """`component-check`."""
        return f"{self.subject.name}-{self.check.name}"

    def __repr__(self) -> str:
        return f"<{self.id}>"

    def __call__(self) -> None:
        """Run it.

        Raises:
            CheckFailed: the property is missing; the message has what was seen, and the usual cause.
            CheckSkipped: not claimed, can't be run here, or an earlier check of the component failed.
        """
        __tracebackhide__ = True
        if self.subject.failed not in ("", self.check.name):
            raise CheckSkipped(f"{self.subject.name}: {self.subject.failed} failed before")
        path = f"{self.subject.name}: {self.check.name}"
        try:
            with seeded(0), one_thread():
                self.check.run(self.subject)
        except CheckSkipped as skip:
            raise CheckSkipped(str(skip)) from None
        except WeightsError as error:
            raise CheckSkipped(f"can't be run here: {error}") from error
        except CheckFailed as failure:
            self._fail()
            text = compose(path, failure.fact, f"usual cause: {failure.cause or self.check.cause}")
            raise CheckFailed(text) from failure.__cause__
        except Exception as error:
            self._fail()
            fact = f"{type(error).__name__}: {error}"
            raise CheckFailed(compose(path, fact, f"usual cause: {self.check.cause}")) from error

    def _fail(self) -> None:
        if not self.expected:
            self.subject.failed = self.check.name


def run_checks(
    distribution: str | None = None,
    *,
    specs: Iterable[ComponentSpec[Any]] | None = None,
    streams: Mapping[str, Any] | None = None,
) -> list[CheckResult]:
    """Run every check that applies, and report each; nothing is raised for a component that fails.

    Arguments:
        distribution: an installed plugin; its hook module is checked too, then all its components.
        specs: components to check in place of a distribution.
        streams: what to feed to a component, by its name, where the kit's own candidates do not suit.

    Raises:
        ConfigError: neither or both of `distribution` and `specs`, or `streams` names no component.
        RegistryError: no such plugin is installed.
    """
    return [_result(check) for check in bound_checks(distribution, specs=specs, streams=streams)]


def bound_checks(
    distribution: str | None = None,
    *,
    specs: Iterable[ComponentSpec[Any]] | None = None,
    streams: Mapping[str, Any] | None = None,
    expected_failed_checks: Mapping[tuple[str, str], str] | None = None,
) -> list[BoundCheck]:
    """Every check of a plugin or of specs, bound to what it looks at, in order; arguments as `run_checks`."""
    if (distribution is None) == (specs is None):
        given = "both" if specs is not None else "neither"
        raise ConfigError(f"{given} of distribution and specs", "give the name of a plugin, or specs=[...]")
    subjects: list[Any] = []
    if distribution is not None:
        plugins, registry = _installed(distribution)
        subjects.append(PluginSubject(distribution, plugins, registry))
        chosen = [spec for plugin in plugins for spec in plugin.components]
    else:
        chosen, registry = list(specs or ()), _default()
    streams, expected = dict(streams or {}), dict(expected_failed_checks or {})
    names = [spec.name for spec in chosen]
    for name in streams:
        if name not in names:
            raise ConfigError(f"streams: no component {name!r}", did_you_mean(name, names, noun="components"))
    for spec in chosen:
        own = registry if distribution is not None else _with(registry, spec, chosen)
        subjects.append(Subject(spec, own, streams.get(spec.name)))
    bound = [
        BoundCheck(subject, check, expected.get((subject.name, check.name), ""))
        for subject in subjects
        for check in _checks_of(subject)
    ]
    known = {f"{item.subject.name}, {item.check.name}": item for item in bound}
    for pair in expected:
        if (name := ", ".join(pair)) not in known:
            hint = did_you_mean(name, known, noun="checks")
            raise ConfigError(f"expected_failed_checks: no check {name!r}", hint)
    return bound


def check_names(kind: str | None = None) -> tuple[str, ...]:
    """Names of the checks of a kind of component, in order; of a plugin as a whole, and of all kinds, for None."""
    if kind is None:
        return tuple(check.name for check in (*plugin_checks.CHECKS, *CHECKS))
    return tuple(check.name for check in CHECKS if kind in check.kinds)


def _checks_of(subject: Any) -> list[Check]:
    if isinstance(subject, PluginSubject):
        return list(plugin_checks.CHECKS)
    return [check for check in CHECKS if check.applies(subject)]


def _result(check: BoundCheck) -> CheckResult:
    status: Status = "passed"
    message = ""
    started = time.perf_counter()
    try:
        check()
    except CheckSkipped as skip:
        status, message = "skipped", str(skip)
    except CheckFailed as failure:
        status, message = "failed", str(failure)
    return CheckResult(
        component=check.subject.name,
        check=check.check.name,
        status=status,
        message=message,
        seconds=time.perf_counter() - started,
    )


def _with(registry: Registry, spec: ComponentSpec[Any], chosen: list[ComponentSpec[Any]]) -> Registry:
    """With all specs; of those that share a name or config class, as variants with other examples do, with this one."""
    kept = {spec.name: spec}
    for other in chosen:
        if other.name not in kept and all(other.config is not known.config for known in kept.values()):
            kept[other.name] = other
    return registry.with_components(*kept.values())


def _default() -> Registry:
    with warnings.catch_warnings():  # another plugin's failure is not this one's business
        warnings.simplefilter("ignore", PluginWarning)
        return default_registry()


def _installed(distribution: str) -> tuple[list[Plugin], Registry]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        plugins = discover()  # anew, since what is installed may have changed
    own = [plugin for plugin in plugins if plugin.report.provider == normalize(distribution)]
    if own:
        return own, Registry(plugins)
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise RegistryError(f"no plugin {distribution!r}; run pip install {distribution}") from None
    raise RegistryError(
        f"{distribution!r} is installed and is no plugin; declare an entry point of the group 'affectkit.v1'"
    )
