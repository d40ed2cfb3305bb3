"""What a row says of its face, for people: per output the most probable classes, the active units, or the values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from affectkit.results.colors import is_action_units, target_of
from affectkit.results.rows import Row
from affectkit.results.timeline import by_output
from affectkit.score_streams import is_agreement

# From here on an action unit counts as there.
ACTIVE = 0.5
# Of rounded cells.
_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One output of one face.

    Attributes:
        output: its name.
        kind: `classes` whose probabilities add up to 1; `units` of which any may be active; `agreement`, which is about
            the members of an ensemble; `values` of whatever else.
        entries: targets with their values: of classes the most probable first, of units those of 0.5 and more, the
            strongest first, of agreement and values all in the order of the table.
    """

    output: str
    kind: Literal["classes", "units", "agreement", "values"]
    entries: tuple[tuple[str, float], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """A line per class, and one line for whatever else."""
        if self.kind == "classes":
            return tuple(f"{name} {value:.2f}" for name, value in self.entries)
        if self.kind == "units":
            return (" ".join(name for name, _ in self.entries) or "no AU",)
        if self.kind == "agreement":
            # members are whole numbers, but where means of them are taken
            digits = {name: 0 if name == "members" and value.is_integer() else 2 for name, value in self.entries}
            return ("  ".join(f"{name} {value:.{digits[name]}f}" for name, value in self.entries),)
        return ("  ".join(f"{name} {value:+.2f}" for name, value in self.entries),)


def findings_of(row: Row, targets: tuple[str, ...], top: int = 3) -> tuple[Finding, ...]:
    """One finding per output that has a value in this row.

    Arguments:
        row: of a face; one without a face has no findings.
        targets: prediction columns of the table.
        top: how many classes and units at most; values are all there.
    """
    found = []
    for output, columns in by_output(targets).items():
        values = {target_of(name): row.predictions[name] for name in columns if name in row.predictions}
        if not values:
            continue
        ranked = tuple(sorted(values.items(), key=lambda item: -item[1]))
        if is_action_units(columns):
            active = tuple(item for item in ranked if item[1] >= ACTIVE)
            found.append(Finding(output=output, kind="units", entries=active[:top]))
        elif is_agreement(output, map(target_of, columns)):
            found.append(Finding(output=output, kind="agreement", entries=tuple(values.items())))
        elif _are_probabilities(values.values()):
            found.append(Finding(output=output, kind="classes", entries=ranked[:top]))
        else:
            found.append(Finding(output=output, kind="values", entries=tuple(values.items())))
    return tuple(found)


def _are_probabilities(values: Iterable[float]) -> bool:
    """Whether they are of classes of which one is true."""
    cells = list(values)
    return len(cells) > 1 and min(cells) >= 0 and math.isclose(sum(cells), 1.0, abs_tol=_TOLERANCE)
