"""`affectkit score --calibration`: whether probabilities mean what they say, as numbers and as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.score_tables import interval_data, interval_row, print_remarks

if TYPE_CHECKING:
    from affectkit.protocols.calibration import CalibrationReport


def show_calibration(
    found: Mapping[str, CalibrationReport], picture: Path | None, output: Output, *, overwrite: bool
) -> None:
    """Print reports by output (\"\" where there is one only), and draw them into `picture`."""
    for name, report in found.items():
        output.text(f"calibration{name and f' of {name}'}, {report.samples} samples")
        rows = [interval_row(score, one) for score, one in report.scores.items()]
        output.table(("score", "value", "from", "to"), rows)
        print_remarks(report.scores, output)
    if picture is not None:
        from affectkit.protocols.reliability_plot import plot_reliability

        bins = {name or "most probable class": report.reliability for name, report in found.items()}
        plot_reliability(bins, picture, overwrite=overwrite)
        output.text(f"drawn: {picture}")


def calibration_data(found: Mapping[str, CalibrationReport]) -> dict[str, Any]:
    """For programs: by output, or of the one there is; nothing where nothing was asked for."""
    if not found:
        return {}
    by_output = {name: _data(report) for name, report in found.items()}
    return {"calibration": by_output.get("", by_output)}


def _data(report: CalibrationReport) -> dict[str, Any]:
    bins = report.reliability
    return {
        "samples": report.samples,
        "scores": {name: interval_data(one) for name, one in report.scores.items()},
        "bins": [
            # an empty bin has neither, and JSON has no NaN
            {
                "from": low,
                "to": high,
                "samples": count,
                "confidence": None if math.isnan(confidence) else confidence,
                "accuracy": None if math.isnan(accuracy) else accuracy,
            }
            for low, high, count, confidence, accuracy in zip(
                *(part.tolist() for part in (bins.low, bins.high, bins.count, bins.confidence, bins.accuracy)),
                strict=True,
            )
        ],
    }
