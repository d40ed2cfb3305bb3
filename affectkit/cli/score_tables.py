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
    print_remarks(differences, output)


def print_remarks(scores: Mapping[str, Interval], output: Output) -> None:
    """A line per score whose interval leaves draws out, or which has none for that reason."""
    for name, found in scores.items():
        if found.remark:
            output.text(f"{name}: {found.remark}")


def shown(score: float) -> str:
    """Three digits, or a dash for NaN."""
    return "-" if math.isnan(score) else f"{score:.3f}"


def interval_data(found: Interval) -> dict[str, Any]:
    """An interval for programs; null where there is nothing to score, or no interval."""
    names = ("value", "low", "high", "level", "undefined")
    data = {name: getattr(found, name) for name in names}
    # JSON has no NaN
    return {name: None if math.isnan(value) else value for name, value in data.items()}
