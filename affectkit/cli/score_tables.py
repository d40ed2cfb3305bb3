"""How scores and their intervals are shown, to people and to programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output

if TYPE_CHECKING:
    from affectkit.metrics.bootstrap import Interval


def interval_row(name: str, found: Interval) -> tuple[str, str, str, str]:
    """A line of a table: name, value, from, to."""
    return name, shown(found.value), shown(found.low), shown(found.high)


def print_differences(differences: Mapping[str, Interval], other: object, output: Output) -> None:
    """The table of a comparison with `other`."""
    output.text(f"less {other}, paired over subjects")
    rows = [interval_row(name, found) for name, found in differences.items()]
    output.table(("score", "difference", "from", "to"), rows)


def shown(score: float) -> str:
    """Three digits, or a dash for NaN."""
    return "-" if math.isnan(score) else f"{score:.3f}"


def interval_data(found: Interval) -> dict[str, Any]:
    """An interval for programs."""
    return {"value": found.value, "low": found.low, "high": found.high, "level": found.level}
