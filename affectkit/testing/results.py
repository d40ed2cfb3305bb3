"""What a check can come to: passed, failed (CheckFailed) or skipped (CheckSkipped)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check of one component came to.

    Attributes:
        component: the component's name, or `plugin` for what is checked once per plugin.
        check: the check's name, which is the property that it looks at.
        status: `passed`, `failed`, or `skipped` (not claimed, can't be run here, or an earlier check failed).
        message: why it failed or was skipped; empty where it passed.
        seconds: what it took.
    """

    component: str
    check: str
    status: Status
    message: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.message or f"{self.component}: {self.check}: {self.status}"


class CheckFailed(AssertionError):
    """A component does not have a property that its kind promises.

    Attributes:
        fact: what was seen, with the numbers.
        cause: the usual cause, where the check knows a better one than its own.
    """

    def __init__(self, fact: str, cause: str = "") -> None:
        super().__init__(fact)
        self.fact, self.cause = fact, cause


class CheckSkipped(Exception):
    """A check that has nothing to look at here; the text says why."""
