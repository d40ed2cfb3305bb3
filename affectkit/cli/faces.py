"""What `affectkit analyze` prints of pictures: per face the most probable classes, units and values."""

from __future__ import annotations

import itertools
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from affectkit.results.findings import Finding
    from affectkit.results.reading import Results
    from affectkit.results.rows import Row

_BAR = 20
_SHOWN = 40


def face_lines(rows: Iterable[Row], targets: tuple[str, ...], top: int) -> list[str]:
    """A block per face: where it is, and what was found in it."""
    from affectkit.results.findings import findings_of

    lines = []
    for row in rows:
        if row.status in ("no_face", "skipped"):
            continue
        # a row of a face has a box
        left, above, width, height = (round(value or 0) for value in (row.left, row.top, row.width, row.height))
        doubt = ", doubtful" if row.status == "low_confidence" else ""
        confidence = "" if row.confidence is None else f", confidence {row.confidence:.2f}"
        lines.append(f"face {row.track} at {left}, {above}: {width} x {height} pixels{confidence}{doubt}")
        findings = findings_of(row, targets, top)
        margin = max((len(finding.output) for finding in findings), default=0) + 2
        for finding in findings:
            for number, text in enumerate(_texts(finding)):
                lines.append(f"  {'' if number else finding.output:<{margin}}{text}".rstrip())
    return lines


def _texts(finding: Finding) -> list[str]:
    if finding.kind == "units":
        return ["  ".join(f"{name} {value:.2f}" for name, value in finding.entries) or "no AU"]
    if finding.kind in ("agreement", "values"):
        return list(finding.texts)
    letter = "█" if (sys.stdout.encoding or "utf-8").lower().startswith("utf") else "#"
    width = max(len(name) for name, _ in finding.entries)
    return [f"{name:<{width}}  {value:.2f}  {letter * round(value * _BAR)}" for name, value in finding.entries]


def face_data(row: Row) -> dict[str, Any]:
    """A row as JSON holds it, which has no NaN."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.as_dict().items()
    }


def picture_table(results: Results) -> tuple[list[str], list[list[object]], int]:
    """Columns and rows of a table for people, a row per face, the first of them; and how many rows were left out.

    How far the members of an ensemble agree is left to the rows.
    """
    from affectkit.results.colors import target_of
    from affectkit.results.findings import findings_of
    from affectkit.results.timeline import by_output
    from affectkit.score_streams import is_agreement

    columns = by_output(results.targets)
    outputs = [output for output in columns if not is_agreement(output, map(target_of, columns[output]))]
    lines: list[list[object]] = []
    for row in itertools.islice(results, _SHOWN):
        found = {finding.output: ", ".join(finding.texts) for finding in findings_of(row, results.targets, 1)}
        who = "" if row.track is None else f"face {row.track}"
        lines.append([row.file, row.status, who, *(found.get(name, "") for name in outputs)])
    return ["file", "status", "face", *outputs], lines, max(len(results) - _SHOWN, 0)
