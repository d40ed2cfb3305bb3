"""What a planted fault is: a spec, the check that has to catch it, and what that check has to say."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from affectkit.specs import ComponentSpec
from tests.faulty.clean import spec


@dataclass(frozen=True)
class Fault:
    """A planted fault.

    Attributes:
        name: what is wrong, for the test's id.
        check: the one check that has to fail.
        spec: the faulty component.
        fact: the part of the message between the check's name and the usual cause.
        cause: the usual cause that the message names; empty for the check's own.
        streams: what to pass to the kit.
    """

    name: str
    check: str
    spec: ComponentSpec[Any]
    fact: str
    cause: str = ""
    streams: dict[str, Any] = field(default_factory=dict)


def fault(kind: str, check: str, fact: str, cause: str = "", **changes: Any) -> Callable[[Any], Fault]:
    """Make a fault of a faulty module class."""

    def plant(cls: Any) -> Fault:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
        return Fault(name, check, spec(kind, cls, **changes), fact, cause)

    return plant


def planted(namespace: dict[str, Any]) -> tuple[Fault, ...]:
    """Every fault of a module, in the order in which they were planted."""
    return tuple(value for value in namespace.values() if isinstance(value, Fault))
