"""`affectkit score`: scores of anyone's predictions or events, with intervals, and against another system's."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.score_calibration import calibration_data, show_calibration
from affectkit.cli.score_events import run_events
from affectkit.cli.score_frames import run_frames
from affectkit.cli.score_tables import interval_data, interval_row, print_differences, print_remarks, shown

if TYPE_CHECKING:
    from affectkit.metrics.bootstrap import Interval
    from affectkit.protocols.report import Report

SUMMARY = "score predictions (UF1, UAR), events (F1, STRS) or frames (CCC, F1, P), pooled, with intervals"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`PREDICTIONS` and options."""
    parser.add_argument(
        "predictions",
        metavar="PREDICTIONS",
        type=Path,
        help="a .parquet or .csv table with columns subject, truth, predicted, or a MEGC log (.txt); with --truth a "
        "table of events, or a folder that analyze wrote",
    )
    parser.add_argument(
        "--protocol",
        choices=("pooled", "megc2019", "spotting", "strs", "mtl"),
        default="pooled",
        help="megc2019: classes negative, positive, surprise, and scores of each dataset; spotting: events by kind; "
        "strs: micro-expressions that are spotted, then recognized; mtl: frames of videos, by CCC, macro F1 and P; "
        "default: pooled",
    )
    parser.add_argument("--truth", metavar="TRUTH", type=Path, help="true events, for spotting and strs")
    parser.add_argument("--unit", choices=("frames", "seconds"), help="of onsets and offsets; default: frames")
    parser.add_argument(
        "--classes",
        metavar="A,B,...",
        help="fixed classes, in order; default: those that are true, for strs negative, positive, surprise",
    )
    parser.add_argument("--by", metavar="COLUMN", help="scores of each value of a column too")
    parser.add_argument("--against", metavar="OTHER", type=Path, help="predictions of the same samples to compare with")
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="whether probabilities mean what they say (ECE, Brier, NLL): of a table with a column p.CLASS for each "
        "class, or of frames",
    )
    parser.add_argument(
        "--reliability", metavar="PICTURE", type=Path, help="draw it as a .png, .pdf or .svg file; with --calibration"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the picture if it is there")


def run(args: argparse.Namespace, output: Output) -> int:
    """Print the tables."""
    from affectkit.data.labels import MICRO_3
    from affectkit.errors import ConfigError
    from affectkit.protocols.calibration import calibrate_predictions
    from affectkit.protocols.predictions import read_predictions
    from affectkit.protocols.report import compare_predictions, score_predictions

    if args.reliability is not None and not args.calibration:
        raise ConfigError("a picture of what is not asked for", "add --calibration", path="--reliability")
    if args.protocol in ("spotting", "strs"):
        if args.calibration:
            fact = f"given with --protocol {args.protocol}, whose events have no probabilities"
            raise ConfigError(fact, "leave it out", path="--calibration")
        return run_events(args, output)
    for name in ("truth", "unit"):
        if getattr(args, name) is not None:
            hint = "add --protocol spotting or strs, or leave it out"
            raise ConfigError(f"given with --protocol {args.protocol}, which scores no events", hint, path=f"--{name}")
    if args.protocol == "mtl":
        return run_frames(args, output)
    classes = args.classes.split(",") if args.classes is not None else None
    by = args.by
    if args.protocol == "megc2019":
        if classes is not None:
            raise ConfigError("given with --protocol megc2019, which fixes them", "leave one out", path="--classes")
        classes, by = list(MICRO_3), by or "dataset"
    predictions = read_predictions(args.predictions)
    report = score_predictions(predictions, classes=classes, by=by)
    differences = (
        {}
        if args.against is None
        else compare_predictions(predictions, read_predictions(args.against), classes=report.classes)
    )
    found = {} if not args.calibration else {"": calibrate_predictions(predictions, classes=classes)}
    output.json(report_data(report, differences) | calibration_data(found))
    print_report(report, differences, by, str(args.against), output)
    show_calibration(found, args.reliability, output, overwrite=args.overwrite)
    return 0


def print_report(report: Report, differences: dict[str, Interval], by: str | None, other: str, output: Output) -> None:
    """The scores, those of each class and slice, and what they are more than those of `other`."""
    runs = "" if report.seeds == 1 else f", means over {report.seeds} seeds"
    output.text(f"{report.samples} samples of {report.subjects} subjects{runs}; 95 % intervals over subjects")
    output.table(("score", "value", "from", "to"), [interval_row(name, found) for name, found in report.scores.items()])
    print_remarks(report.scores, output)
    per_class = zip(report.classes, report.f1, report.recall, report.confusion.tolist(), strict=True)
    columns = ("class", "F1", "recall", *(f"as {name}" for name in report.classes))
    output.table(columns, [(name, shown(f1), shown(recall), *counts) for name, f1, recall, counts in per_class])
    for name in report.absent:
        output.text(f"no sample is {name}: it counts 0 in UF1 and nothing in UAR")
    if by is not None:
        rows = [
            (value, part.samples, part.subjects, *map(shown, part.scores.values()), ", ".join(part.absent))
            for value, part in report.slices.items()
        ]
        output.table((by, "samples", "subjects", *report.scores, "absent"), rows)
    if differences:
        print_differences(differences, other, output)


def report_data(report: Report, differences: dict[str, Interval]) -> dict[str, Any]:
    # JSON has no NaN
    def known(scores: Any) -> list[float | None]:
        return [None if math.isnan(score) else score for score in scores]

    return {
        "samples": report.samples,
        "subjects": report.subjects,
        "seeds": report.seeds,
        "classes": list(report.classes),
        "scores": {name: interval_data(found) for name, found in report.scores.items()},
        "f1": known(report.f1),
        "recall": known(report.recall),
        "confusion": report.confusion.tolist(),
        "slices": {
            value: {
                "samples": part.samples,
                "subjects": part.subjects,
                "scores": dict(zip(part.scores, known(part.scores.values()), strict=True)),
                "absent": list(part.absent),
            }
            for value, part in report.slices.items()
        },
        "absent": list(report.absent),
        "differences": {name: interval_data(found) for name, found in differences.items()},
    }
