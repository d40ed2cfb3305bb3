"""The pytest door to the kit: one decorator, one test per check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import pytest

from affectkit.specs import ComponentSpec
from affectkit.testing.results import CheckSkipped
from affectkit.testing.runner import BoundCheck, bound_checks


def parametrize_with_checks(
    distribution: str | None = None,
    *,
    specs: Iterable[ComponentSpec[Any]] | None = None,
    streams: Mapping[str, Any] | None = None,
    expected_failed_checks: Mapping[tuple[str, str], str] | None = None,
) -> pytest.MarkDecorator:
    """Parametrize a test with every check of a plugin or of some components, as `component-check`.

        @parametrize_with_checks("my-plugin", expected_failed_checks={("my-flow", "autocast_works"): "needs float32"})
        def test_conformance(check):
            check()

    A component's first failure skips the rest of its checks.

    Arguments:
        distribution: an installed plugin; its hook module is checked too, then all its components.
        specs: components to check in place of a distribution.
        streams: what to feed to a component, by its name, where the kit's own candidates do not suit.
        expected_failed_checks: reason by (component, check) for what is known to fail; it is an error if it passes.

    Raises:
        ConfigError: neither or both of `distribution` and `specs`, or a name that is no component or check.
        RegistryError: no such plugin is installed.
    """
    bound = bound_checks(distribution, specs=specs, streams=streams, expected_failed_checks=expected_failed_checks)
    return pytest.mark.parametrize("check", [_parameter(check) for check in bound])


def _parameter(check: BoundCheck) -> Any:
    marks = [pytest.mark.xfail(reason=check.expected, strict=True)] if check.expected else []
    function: Callable[[], None] = partial(_run, check)
    return pytest.param(function, id=check.id, marks=marks)


def _run(check: BoundCheck) -> None:
    __tracebackhide__ = True
    try:
        check()
    except CheckSkipped as skip:
        pytest.skip(str(skip))
