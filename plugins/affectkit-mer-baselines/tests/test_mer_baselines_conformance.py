"""The conformance kit for both networks."""

from collections.abc import Callable

from affectkit.testing import parametrize_with_checks


@parametrize_with_checks("affectkit-mer-baselines")
def test_conformance(check: Callable[[], None]) -> None:
    check()
