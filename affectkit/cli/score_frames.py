"""`affectkit score --protocol mtl`: frames of long videos, by CCC, macro F1, mean F1 of units, and P."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.score_calibration import calibration_data, show_calibration
from affectkit.cli.score_tables import interval_data, interval_row, print_differences, print_remarks

if TYPE_CHECKING:
    from affectkit.metrics.bootstrap import Interval
    from affectkit.protocols.frame_report import FrameReport


def run_frames(args: argparse.Namespace, output: Output) -> int:
    """Print the tables."""
    from affectkit.errors import ConfigError
    from affectkit.protocols.calibration import calibrate_frames
    from affectkit.protocols.frame_predictions import read_frame_predictions
    from affectkit.protocols.frame_report import compare_frames, report_frames

    for name in ("classes", "by"):
        if getattr(args, name) is not None:
            fact = "given with --protocol mtl, whose table says its classes, and which scores all videos together"
            raise ConfigError(fact, "leave it out", path=f"--{name}")
    predictions = read_frame_predictions(args.predictions)
    report = report_frames(predictions)
    differences = {} if args.against is None else compare_frames(predictions, read_frame_predictions(args.against))
    found = calibrate_frames(predictions) if args.calibration else {}
    print_frames(report, differences, args.against, output, calibration_data(found))
    show_calibration(found, args.reliability, output, overwrite=args.overwrite)
    return 0


def print_frames(
    report: FrameReport,
    differences: Mapping[str, Interval],
    against: Path | None,
    output: Output,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print a report, and how it differs from that of the table `against`; `more` is for programs only."""
    output.json(
        {
            "frames": report.frames,
            "videos": report.videos,
            "subjects": report.subjects,
            "valid": dict(report.valid),
            "scores": {name: interval_data(found) for name, found in report.scores.items()},
            "targets": {name: interval_data(found) for name, found in report.targets.items()},
            "p_of": list(report.p_of),
            "absent": list(report.absent),
            "differences": {name: interval_data(found) for name, found in differences.items()},
            **(more or {}),
        }
    )
    output.text(f"{report.frames} frames of {report.videos} videos; 95 % intervals over videos")
    output.table(("score", "value", "from", "to"), [interval_row(name, found) for name, found in report.scores.items()])
    if report.p_of and {*report.p_of, "P"} != set(report.scores):
        output.text(f"P is of {', '.join(report.p_of)}")
    output.table(("target", "value", "from", "to"), [interval_row(name, one) for name, one in report.targets.items()])
    print_remarks({**report.scores, **report.targets}, output)
    for name in report.absent:
        output.text(f"no frame shows {name}: it counts 0 in the mean")
    if differences:
        print_differences(differences, str(against), output)
