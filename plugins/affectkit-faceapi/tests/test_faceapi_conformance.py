from collections.abc import Callable

from affectkit.testing import parametrize_with_checks


@parametrize_with_checks("affectkit-faceapi")
def test_conformance(check: Callable[[], None]) -> None:
    check()
