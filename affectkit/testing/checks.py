"""What a check is: a function of a subject that raises CheckFailed, with the kinds and claims to which it applies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affectkit.specs import KIND_NAMES

if TYPE_CHECKING:
    from affectkit.testing.subjects import Subject

FRAME_BY_FRAME = ("motion", "features", "temporal")
STAGES = (*FRAME_BY_FRAME, "fusion")
TIMED = (*STAGES, "head")
CLOCKED = (*TIMED, "map")
# Their real steps come out as if the padding were absent, wherever it stands. The flow over a gap is another matter.
GAPLESS = ("features", "fusion", "temporal", "head")
MODULES = (*CLOCKED, "late-fusion")
ALL = tuple(KIND_NAMES)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One property that a component has to have.

    Attributes:
        name: the property, with underscores; the name of the function.
        run: takes the subject; returns, or raises CheckFailed or CheckSkipped.
        cause: what is usually wrong where it fails.
        kinds: kinds of component that promise it; empty for a check of the plugin as a whole.
        claimed: whether this component promises it, as far as its spec and config say.
    """

    name: str
    run: Callable[[Any], None]
    cause: str
    kinds: tuple[str, ...] = ()
    claimed: Callable[[Subject], bool] = lambda subject: True

    def applies(self, subject: Subject) -> bool:
        """Whether to run it on this component. A claim that can't be read counts as made: the check then says why."""
        if subject.spec.kind not in self.kinds:
            return False
        try:
            return self.claimed(subject)
        except Exception:
            return True


def check(
    *kinds: str, cause: str, claimed: Callable[[Subject], bool] = lambda subject: True
) -> Callable[[Callable[[Any], None]], Check]:
    """Make a check of a function; its name becomes the check's."""

    def decorate(function: Callable[[Any], None]) -> Check:
        return Check(name=function.__name__, run=function, cause=cause, kinds=kinds, claimed=claimed)

    return decorate
