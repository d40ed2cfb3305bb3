"""The conformance kit for the plugin; its components are affectkit's own, and tested there."""

from collections.abc import Callable

from affectkit.testing import parametrize_with_checks


@parametrize_with_checks("affectkit-ammsm")
def test_conformance(check: Callable[[], None]) -> None:
    check()
